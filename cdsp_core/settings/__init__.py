"""Every default, bound and preset of the project, and how a config is changed by the names of its fields. No torch."""
