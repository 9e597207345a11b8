"""Makes mutants: copies of source files with known mistakes in them.

    mutate.py MUTATIONS[,MUTATIONS...] OUT_DIRECTORY SOURCE...

A test that has never failed may be blind. Each mutation is a mistake that
somebody could make; a test shows that it sees it. All mutants of a library are
in one build of it; SetMutant() of tests/testing/mutant.h says which is in force,
none at first. MUTATIONS is text:

    # Why this is a mistake worth catching.
    mutant publish_before_payload: writer/record_appender.cc
    -  old statements;
    +  new statements;

The lines after "-" must occur exactly once in the file, as they are; what
follows "+" (perhaps nothing) takes their place while the mutant is in force.
Both are whole statements without declarations that later lines need. A mutant
may change several places: then it is named once for each. Several mutants may
change the same lines, if exactly the same.
"""

import pathlib
import sys


def parse(text):
    """Yields (mutant, file, old lines, new lines)."""
    mutations = []
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith("mutant "):
            name, _, path = line[len("mutant "):].partition(":")
            mutations.append((name.strip(), path.strip(), [], []))
        elif line[:1] in ("-", "+") and mutations:
            mutations[-1][2 if line[0] == "-" else 3].append(line[1:])
        elif line.strip() and not line.startswith("#"):
            sys.exit(f"mutations, line {number}: neither a mutant, - nor +: {line}")
    return mutations


def mutate(path, text, mutations):
    variants = {}  # by the old lines: (mutant, new lines)
    for name, _, old_lines, new_lines in mutations:
        old = "\n".join(old_lines) + "\n"
        if not old_lines or text.count(old) != 1:
            sys.exit(f"mutant {name}: {path} has these lines {text.count(old)} "
                     f"times, not once:\n{old}")
        new = "".join(line + "\n" for line in new_lines)
        variants.setdefault(old, []).append((name, new))
    for old, mistakes in variants.items():
        if text.count(old) != 1:
            sys.exit(f"mutant {mistakes[0][0]}: {path}: these lines overlap with "
                     f"another mutant's without being the same:\n{old}")
        choices = "".join(
            f'if (::tine::testing::IsMutant("{name}")) {{\n{new}}} else '
            for name, new in mistakes)
        text = text.replace(old, f"{choices}{{\n{old}}}\n")
    return '#include "tests/testing/mutant.h"\n' + text


def main():
    mutations = [mutation for path in sys.argv[1].split(",")
                 for mutation in parse(pathlib.Path(path).read_text(encoding="utf-8"))]
    sources = {source: pathlib.Path(source) for source in sys.argv[3:]}
    for name, path, _, _ in mutations:
        if path not in sources:
            sys.exit(f"mutant {name}: {path} is not among the sources")
    for source, path in sources.items():
        mutated = mutate(source, path.read_text(encoding="utf-8"),
                         [m for m in mutations if m[1] == source])
        (pathlib.Path(sys.argv[2]) / path.name).write_text(mutated, encoding="utf-8")


if __name__ == "__main__":
    main()
