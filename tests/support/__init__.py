"""What several folders of tests share: services, servers, pictures, records and waiting.

Modules with fixtures are plugins that `tests/conftest.py` names; tests import helpers, never fixtures.
"""
