"""``make bench``: the proxy beside C and C++ proxies, on one core, doing the same work.

A development tool, not part of the package. Rules:

* Every process that is compared runs on CPU 1 with all its threads; origin, load and this program
  on CPU 0. What is compared is requests per second of CPU time, which neither a slow CPU 0 nor a
  neighbour changes as they change requests per second.
* A ratio is only ever taken within a pair of windows that followed each other. A pair in which
  others used more than a twentieth of CPU 1, or a peer did not only its work, is dropped and
  counted.
* Nothing is compared before both have shown that they do the work: whole bodies, one TLS version
  and cipher suite, an untrusted and a wrongly named origin refused.
* ``stats``, ``chart``, ``report``, ``procfs`` and the text parts of ``load`` are *pure*.
"""

from mralab.errors import MraLabError


class BenchError(MraLabError):
    """The comparison cannot be run, or a peer does not do the work."""
