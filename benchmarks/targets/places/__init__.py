"""Machines where files can be put and programs be started."""
