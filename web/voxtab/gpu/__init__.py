"""The GPU layer: one interface (`base`), two backends (`browser`, `native`)."""
