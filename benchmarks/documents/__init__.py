"""Documents of measurements, their schemas, and what pages are made of."""
