"""From what happened to what it means: one origin judged, a chain drawn, a failure explained."""
