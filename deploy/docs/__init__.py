"""The documents that are made from the code: AsyncAPI for the topics, OpenAPI for HTTP. `tenure docs` writes them."""
