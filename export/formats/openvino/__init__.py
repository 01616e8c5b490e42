"""OpenVINO's intermediate representation, converted from the deploy graph."""
