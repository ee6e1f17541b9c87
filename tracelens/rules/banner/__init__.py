"""Causes that strike before or at the banners."""
