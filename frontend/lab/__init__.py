"""Parts of the Lab, rendered once."""
