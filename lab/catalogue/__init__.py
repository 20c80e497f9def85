"""The catalogue of scenarios: estates broken in one way that the field meets, and what mends them.

- :mod:`~mralab.lab.catalogue.model` says what a case is, :mod:`~mralab.lab.catalogue.edit` how an
  estate is broken, :mod:`~mralab.lab.catalogue.play` how a case is played for real, and
  :mod:`~mralab.lab.catalogue.compare` what counts as a difference.
- The cases themselves stand in one file per theme; :mod:`~mralab.lab.catalogue.cases` gathers them.
"""
