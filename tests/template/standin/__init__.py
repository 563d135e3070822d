"""Stand-ins for what Terraform needs of the outside: the providers and the module registry.

They serve the schemas and interfaces of the real ones (tests/template/data), refuse what those refuse with
the same words, and make up what those compute. Where Terraform is configured to find the real ones
(TF_CLI_CONFIG_FILE), the tests take those instead.
"""
