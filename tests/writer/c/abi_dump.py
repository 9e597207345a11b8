"""The binary interface of libtine.so as text: what must not change under a soname.

    bazel run //tests/writer/c:abi_dump             # prints it
    bazel run //tests/writer/c:abi_dump -- --write  # renews writer/c/abi.txt
"""

import os
import sys
import tempfile

from tests.writer.c import tine_header

COMMENT = '''\
# Exported functions, enumerators, and the structs' sizes and offsets on a 64-bit
# machine. Renewed by: bazel run //tests/writer/c:abi_dump -- --write
'''


def _probe():
    """A C program that prints what the compiler makes of the header."""
    lines = []
    for name in tine_header.constants():
        lines.append('  printf("%s = %%d\\n", (int)%s);' % (name, name))
    for name, fields in sorted(tine_header.structs().items()):
        lines.append('  printf("%s: %%zu bytes\\n", sizeof(%s));' % (name, name))
        for field in fields:
            lines.append(
                '  printf("  %s: %%zu bytes at %%zu\\n", sizeof(((%s*)0)->%s), '
                'offsetof(%s, %s));' % (field, name, field, name, field))
    return '#include <stdio.h>\n#include "%s"\nint main(void) {\n%s\n}\n' % (
        tine_header.HEADER, '\n'.join(lines))


def dump():
    with tempfile.TemporaryDirectory() as directory:
        source = os.path.join(directory, 'probe.c')
        program = os.path.join(directory, 'probe')
        with open(source, 'w') as file:
            file.write(_probe())
        tine_header.tool_output('cc', '-o', program, source)
        layout = tine_header.tool_output(program)
    prototypes = tine_header.prototypes()
    functions = [prototypes.get(name, name + ': not in tine.h')
                 for name in tine_header.exported_functions()]
    return COMMENT + '\n'.join(functions) + '\n' + layout


def main():
    if sys.argv[1:] == ['--write']:
        path = os.path.join(os.environ['BUILD_WORKSPACE_DIRECTORY'],
                            'writer/c/abi.txt')
        with open(path, 'w') as file:
            file.write(dump())
    elif len(sys.argv) == 1:
        sys.stdout.write(dump())
    else:
        sys.exit(__doc__)


if __name__ == '__main__':
    main()
