"""The reference at /docs: rendered from the OpenAPI document by this server, without a CDN."""
