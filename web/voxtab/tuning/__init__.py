"""The choice of tiles for an adapter, by measuring once: tried, held against the default, kept, checked."""
