"""From the tables of an estate file to an estate, with every fault at once.

Rules: names of keys and tables are compared without case, hyphens and underscores. Whatever cannot
be read is a fault and leaves its default behind, so that the rest is read and checked all the
same; a fault that only follows from another one is not told. Faults name a key by its place:
``cluster[steven].node[cucm.steven.lab].certificate.tomcat.signed_by``, a table of an array by its
name or, if it has none, by its number from 1. *Pure*.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from mralab.config import estateschema as schema
from mralab.config.estate import (
    AuthorityPlan,
    CertificateKind,
    CertificatePlan,
    ClusterPlan,
    DiscoveryKind,
    DiscoveryPlan,
    Estate,
    ExpresswayCPlan,
    ExpresswayEPlan,
    NodePlan,
    NodeRole,
    UserPlan,
)
from mralab.config.estatecheck import FaultKind, check_estate
from mralab.config.estatedefaults import (
    KINDS_OF_ROLE,
    SERVICES_OF_ROLE,
    TRUST_LISTS_OF_ROLE,
    expressway_certificate,
    installed_certificate,
)
from mralab.config.estatekinds import REFERENCES
from mralab.config.faults import ConfigFault, shown
from mralab.config.lines import line_of
from mralab.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from mralab.config.estatecheck import EstateFault
    from mralab.config.estateschema import Key, Table
    from mralab.config.lines import KeyPath

#: What a table of an array is called in messages: the first of these keys that is text.
_NAMING_KEYS: Final = ("name", "id", "address")
_LONGEST_LABEL = 60
#: If one of these cannot be read, others seem to refer to nothing.
_REFERRED_TO: Final = {
    "name",
    "role",
    "authority",
    "cluster",
    "node",
    "unity",
    "expressway_c",
    "expressway_e",
}


def read_estate(
    table: Mapping[str, Any], lines: Mapping[KeyPath, int], file: str
) -> tuple[Estate, tuple[ConfigFault, ...]]:
    """Read and check all of it.

    Args:
        table: what ``tomllib`` made of the file.
        lines: line of each key, from :func:`mralab.config.lines.item_lines`.
        file: name of the file for messages.

    Returns:
        The estate, to be used only if there is no fault, and all faults in the file's order.
    """
    reader = _Reader(file, lines)
    estate = reader.read(table)
    if not reader.misshapen:
        for fault in check_estate(estate):
            reader.take(fault)
    return _publisher_first(estate), reader.in_order()


def _publisher_first(estate: Estate) -> Estate:
    """Return the estate with each cluster's publisher in front, else in the file's order."""
    clusters = (
        replace(
            cluster,
            nodes=tuple(
                sorted(cluster.nodes, key=lambda node: node.role is not NodeRole.PUBLISHER)
            ),
        )
        for cluster in estate.clusters
    )
    return replace(estate, clusters=tuple(clusters))


@dataclass(slots=True)
class _Part:
    """One table that has been read."""

    path: KeyPath
    values: dict[str, Any]  #: by the plan's field; Any: each made by the reader of its own key
    inner: dict[str, Any] = field(default_factory=dict)  #: raw tables in it, by name
    line: int = 0


@dataclass(slots=True)
class _Reader:
    """One reading of a file. Paths are canonical: names as in the schema, places from 0."""

    file: str
    lines: Mapping[KeyPath, int]
    faults: dict[KeyPath, list[ConfigFault]] = field(default_factory=dict)
    written: dict[KeyPath, KeyPath] = field(default_factory=dict)  #: canonical to as in the file
    labels: dict[KeyPath, str] = field(default_factory=dict)  #: what messages call a place
    meant: set[KeyPath] = field(default_factory=set)  #: what unknown names probably stand for
    misshapen: bool = False  #: something is not the table or array that it has to be

    # Faults.

    def fault(self, path: KeyPath, message: str, hint: str, *, shape: bool = False) -> None:
        """Note a fault of a key or table."""
        label = self.label(path)
        where = f"{self.file}:{self.line(path)}"
        fault = ConfigFault(where, label, f"{label}: {message}" if label else message, hint)
        self.faults.setdefault(path, []).append(fault)
        self.misshapen |= shape

    def take(self, fault: EstateFault) -> None:
        """Note a fault between parts, unless it only follows from one that is noted already."""
        follows = fault.path in self.faults
        unread = [path for path in (*self.faults, *self.meant) if path]
        if fault.kind is FaultKind.REFERENCE:
            follows |= any(path[-1] in _REFERRED_TO for path in unread)
            follows |= (*fault.path[:-1], "kind") in unread
        elif fault.kind is FaultKind.ABSENCE:
            length = len(fault.path)
            follows |= any(path[:length] == fault.path for path in unread)
        if not follows:
            self.fault(fault.path, fault.message, fault.hint)

    def in_order(self) -> tuple[ConfigFault, ...]:
        """Return all faults in the order of the file."""
        found = [fault for faults in self.faults.values() for fault in faults]
        return tuple(sorted(found, key=lambda fault: int(fault.where.rpartition(":")[2])))

    def label(self, path: KeyPath) -> str:
        """Return what messages call a place."""
        for length in range(len(path), 0, -1):
            if path[:length] in self.labels:
                return ".".join((self.labels[path[:length]], *path[length:]))
        return ".".join(path)

    def line(self, path: KeyPath) -> int:
        """Return the line of a key, or of the nearest table around it."""
        while path and path not in self.written:
            path = path[:-1]
        return line_of(self.lines, self.written.get(path, ()))

    # Tables in general.

    def open(self, raw: object, path: KeyPath, table: Table) -> _Part:
        """Read a table's keys; what is no table is a fault and reads as an empty one."""
        if not isinstance(raw, dict):
            self.fault(path, f"{shown(raw)} is not a table", f"write {table.header}", shape=True)
            return _Part(path, {})
        part = _Part(path, {}, line=self.line(path))
        by_name = {schema.folded(key.name): key for key in table.keys}
        inner = {schema.folded(name): name for name in table.inner}
        for written, value in self._once(raw, path, {**by_name, **inner}, table.names):
            key = by_name.get(schema.folded(written))
            if key is None:
                name = inner[schema.folded(written)]
                part.inner[name] = value
                self.written[*path, name] = (*self.written.get(path, path), written)
            else:
                self.written[*path, key.name] = (*self.written.get(path, path), written)
                self._read_key(part, key, value)
        for key in table.keys:
            place = (*path, key.name)
            given = key.target in part.values or place in self.faults or place in self.meant
            if key.required and not given:
                self.fault(place, "is missing", f"add {key.name}: {key.kind.form}")
        return part

    def _once(
        self, raw: dict[str, Any], path: KeyPath, known: Iterable[str], names: Sequence[str]
    ) -> Iterator[tuple[str, Any]]:
        """Yield a table's entries that are known, each once; the others are faults."""
        known, seen = set(known), set()
        for written, value in raw.items():
            name = schema.folded(written)
            place = (*path, written)
            if name in known and name not in seen:
                seen.add(name)
                yield written, value
                continue
            self.written.setdefault(place, (*self.written.get(path, path), written))
            if name in seen:
                self.fault(place, "is given twice", "leave one of them out")
                continue
            meant = _meant(written, names)
            if meant:
                self.meant.add((*path, meant))
            hint = f"did you mean {meant}?" if meant else f"there are: {', '.join(names)}"
            self.fault(place, "no key or table has this name here", hint)

    def _read_key(self, part: _Part, key: Key, value: object) -> None:
        try:
            part.values[key.target] = key.kind.read(value)
        except ConfigError as exc:
            self.fault((*part.path, key.name), str(exc), exc.hint)

    def items(self, holder: _Part, name: str, table: Table) -> list[_Part]:
        """Read an array of tables."""
        raw = holder.inner.get(name, [])
        path = (*holder.path, name)
        if path in self.meant and isinstance(raw, dict):
            # Its header is misspelt; what stands under it made a table of this name.
            self.misshapen = True
            return []
        if not isinstance(raw, list):
            hint = f"write {table.header} in double brackets, above what belongs to it"
            self.fault(path, f"{shown(raw)} is not an array of tables", hint, shape=True)
            return []
        parts = []
        for number, item in enumerate(raw):
            place = (*path, str(number))
            self.written[place] = (*self.written.get(path, path), str(number))
            self.labels[place] = f"{self.label(path)}[{_name_of(item) or number + 1}]"
            parts.append(self.open(item, place, table))
        return parts

    def mapping(self, holder: _Part, name: str, known: Sequence[str]) -> dict[str, Any]:
        """Return the entries of a table whose names are not keys of the schema, by known name."""
        raw = holder.inner.get(name, {})
        path = (*holder.path, name)
        if not isinstance(raw, dict):
            hint = f"write {name}.NAME = ..., or a table"
            self.fault(path, f"{shown(raw)} is not a table", hint, shape=True)
            return {}
        by_folded = {schema.folded(word): word for word in known}
        found = {}
        for written, value in self._once(raw, path, by_folded, known):
            word = by_folded[schema.folded(written)]
            self.written[*path, word] = (*self.written.get(path, path), written)
            found[word] = value
        return found

    # The estate.

    def read(self, table: Mapping[str, Any]) -> Estate:
        """Read all tables."""
        top = self.open(dict(table), (), schema.TOP)
        domain = top.values.get("domain", "")
        clusters = tuple(map(self._cluster, self.items(top, "cluster", schema.CLUSTER)))
        return Estate(
            domain=domain,
            authorities=tuple(
                AuthorityPlan(**{"name": "", **part.values}, line=part.line)
                for part in self.items(top, "authority", schema.AUTHORITY)
            ),
            clusters=clusters,
            unity=tuple(
                self._node(part, NodeRole.UNITY) for part in self.items(top, "unity", schema.UNITY)
            ),
            users=tuple(
                self._user(part, clusters) for part in self.items(top, "user", schema.USER)
            ),
            expressway_c=self._expressway_c(self._one(top, "expressway_c", schema.EXPRESSWAY_C)),
            expressway_e=self._expressway_e(
                self._one(top, "expressway_e", schema.EXPRESSWAY_E), domain
            ),
        )

    def _one(self, holder: _Part, name: str, table: Table) -> _Part:
        """Read a table that has to be there."""
        if name in holder.inner:
            return self.open(holder.inner[name], (name,), table)
        if (name,) not in self.meant:
            self.fault((name,), "is missing", f"describe it under {table.header}")
        return _Part((name,), {})

    def _cluster(self, part: _Part) -> ClusterPlan:
        nodes = self.items(part, "node", schema.NODE)
        roles = [node.values.get("role") for node in nodes]
        # A role that cannot be read is taken for the one that makes no further fault.
        guess = NodeRole.SUBSCRIBER if NodeRole.PUBLISHER in roles else NodeRole.PUBLISHER
        plans = []
        for node, role in zip(nodes, roles, strict=True):
            plans.append(self._node(node, role or guess))
            guess = guess if role else NodeRole.SUBSCRIBER
        return ClusterPlan(**{"name": "", **part.values}, nodes=tuple(plans), line=part.line)

    def _node(self, part: _Part, role: NodeRole) -> NodePlan:
        name = part.values.get("name", "")
        guessed = role is not NodeRole.UNITY and "role" not in part.values
        roles = tuple(NodeRole) if guessed else (role,)
        return NodePlan(
            **{"name": name, "address": "", **part.values, "role": role},
            certificates=self._certificates(part, roles, name),
            trust=self._trust(part, roles),
            services=self._services(part, roles),
            line=part.line,
        )

    def _certificates(
        self, holder: _Part, roles: Sequence[NodeRole], node: str
    ) -> dict[CertificateKind, CertificatePlan]:
        kinds = tuple(dict.fromkeys(kind for role in roles for kind in KINDS_OF_ROLE[role]))
        given = self.mapping(holder, "certificate", [kind.value for kind in kinds])
        return {
            kind: self._certificate(
                given.get(kind.value),
                (*holder.path, "certificate", kind.value),
                installed_certificate(kind, node),
            )
            for kind in kinds
        }

    def _certificate(self, raw: object, path: KeyPath, default: CertificatePlan) -> CertificatePlan:
        if raw is None:
            return default
        part = self.open(raw, path, schema.CERTIFICATE)
        if "reuse" not in part.values:
            return replace(default, **part.values, line=part.line)
        for key in schema.CERTIFICATE.keys:
            if key.name != "reuse" and key.target in part.values:
                message = "does not count beside reuse"
                self.fault((*path, key.name), message, "leave out this key, or reuse")
        return CertificatePlan(reuse=part.values["reuse"], line=part.line)

    def _trust(self, holder: _Part, roles: Sequence[NodeRole]) -> dict[str, tuple[str, ...]]:
        known = tuple(dict.fromkeys(name for role in roles for name in TRUST_LISTS_OF_ROLE[role]))
        return self._values(holder, "trust", known, schema.Key("", REFERENCES, ""))

    def _services(self, holder: _Part, roles: Sequence[NodeRole]) -> dict[str, Any]:
        known = tuple(dict.fromkeys(name for role in roles for name in SERVICES_OF_ROLE[role]))
        return self._values(holder, "services", known, schema.Key("", schema.SERVICE_STATE, ""))

    def _values(self, holder: _Part, name: str, known: Sequence[str], key: Key) -> dict[str, Any]:
        part = _Part((*holder.path, name), {})
        for word, value in self.mapping(holder, name, known).items():
            self._read_key(part, replace(key, name=word), value)
        return part.values

    def _user(self, part: _Part, clusters: Sequence[ClusterPlan]) -> UserPlan:
        values = {"user_id": "", "password": "", **part.values}
        if "cluster" not in values:
            values["cluster"] = clusters[0].name if clusters else ""
            path = (*part.path, "cluster")
            if len(clusters) > 1 and path not in self.faults:
                hint = f"write {' or '.join(shown(cluster.name) for cluster in clusters)}"
                self.fault(path, "is missing, and there are several clusters", hint)
        return UserPlan(**values, line=part.line)

    def _expressway_c(self, part: _Part) -> ExpresswayCPlan:
        name = part.values.get("name", "")
        return ExpresswayCPlan(
            **{"name": "", "address": "", **part.values},
            certificate=self._server(part, expressway_certificate(name)),
            discoveries=tuple(
                DiscoveryPlan(
                    **{"kind": DiscoveryKind.UNIFIED_CM, "address": "", **item.values},
                    line=item.line,
                )
                for item in self.items(part, "discovery", schema.DISCOVERY)
            ),
            line=part.line,
        )

    def _expressway_e(self, part: _Part, domain: str) -> ExpresswayEPlan:
        name = part.values.get("name", "")
        return ExpresswayEPlan(
            **{"name": "", "address": "", **part.values},
            certificate=self._server(part, expressway_certificate(name, domain)),
            line=part.line,
        )

    def _server(self, holder: _Part, default: CertificatePlan) -> CertificatePlan:
        """Read the server certificate of an Expressway."""
        raw = holder.inner.get("certificate")
        return self._certificate(raw, (*holder.path, "certificate"), default)


def _name_of(item: object) -> str:
    """Return what a table of an array is called, "" if nothing in it is a name."""
    if not isinstance(item, dict):
        return ""
    names = {schema.folded(key): value for key, value in item.items()}
    found = next((names[key] for key in _NAMING_KEYS if isinstance(names.get(key), str)), "")
    return shown(found)[1:-1] if len(found) <= _LONGEST_LABEL else ""


def _meant(word: str, known: Sequence[str]) -> str:
    """Return the known name that a word probably stands for, "" if it is like none."""
    other = schema.OTHER_WORDS.get(schema.folded(word))
    if other is not None and other in known:
        return other
    near = difflib.get_close_matches(word.lower(), [name.lower() for name in known], n=1)
    return next((name for name in known if near and name.lower() == near[0]), "")
