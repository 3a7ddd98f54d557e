"""What is made from the code: the CustomResourceDefinition, tables of the documentation, the report's schema.

The code is the only place where a field, a setting or a reason is written down. What is made here lies in the
repository all the same, for those who install or read it without Python, and a check fails when it is stale.
"""
