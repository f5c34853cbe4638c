"""The page that shows the OpenAPI document; Swagger UI itself comes with the package fastapi-swagger."""
