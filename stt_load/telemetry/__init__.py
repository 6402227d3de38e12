"""Figures of a run for other systems while it goes on, served or pushed. Imports records and reports, and no Locust."""
