"""Other projects' interfaces over a Facsimile index, so that programs written for them go on unchanged."""
