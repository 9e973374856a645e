"""People label: a page that asks what pictures show, and stores every answer before the next picture."""
