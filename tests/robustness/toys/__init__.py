"""Commands whose real sizes take minutes, with sizes that take seconds; each module has the `main` of its command."""
