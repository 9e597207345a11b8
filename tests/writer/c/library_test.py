"""What libtine.so and libtine.a are as files: what they need and what they show."""

import re
import unittest

from tests.testing import outcome_lines, programs
from tests.writer.c import abi_dump, tine_header

# Debian 12 has 2.36.
NEWEST_GLIBC = (2, 35)
# 8 for the thread's table, 8 for a flag of fork(), 16 of the C++ runtime.
THREAD_LOCAL_BYTES = 32


class LibraryTest(unittest.TestCase):
    def setUp(self):
        if programs.is_instrumented(tine_header.LIBRARY):
            self.skipTest('a sanitizer is in the library')

    def dynamic_section(self):
        return tine_header.tool_output('readelf', '-dW', tine_header.LIBRARY)

    def test_needs_libc_alone(self):
        self.assertEqual(re.findall(r'NEEDED.*\[(.*)\]', self.dynamic_section()),
                         ['libc.so.6'])

    def test_has_its_soname_and_stays_loaded(self):
        section = self.dynamic_section()
        self.assertIn('soname: [libtine.so.0]', section)
        for flag in ('NODELETE', 'NOW', 'BIND_NOW', 'STATIC_TLS'):
            self.assertRegex(section, r'FLAGS.*\b%s\b' % flag)
        self.assertNotIn('TEXTREL', section)

    def test_segments_are_as_strict_as_can_be(self):
        segments = tine_header.tool_output('readelf', '-lW', tine_header.LIBRARY)
        self.assertIn('GNU_RELRO', segments)
        self.assertRegex(segments, r'GNU_STACK.* RW ')
        tls = re.search(r'^ +TLS +(?:0x\w+ +){4}(0x\w+)', segments, re.MULTILINE)
        self.assertEqual(int(tls.group(1), 16), THREAD_LOCAL_BYTES)

    def test_runs_with_an_older_libc(self):
        symbols = tine_header.tool_output('nm', '-D', '--undefined-only',
                                          tine_header.LIBRARY)
        versions = [tuple(int(part) for part in version.split('.'))
                    for version in re.findall(r'@GLIBC_([\d.]+)', symbols)]
        self.assertGreater(len(versions), 30)
        self.assertLessEqual(max(versions), NEWEST_GLIBC)
        foreign = [line.split()[-1] for line in symbols.splitlines()
                   if line.split()[-2] == 'U' and '@GLIBC_' not in line]
        self.assertEqual(foreign, [])

    def test_shows_what_the_header_declares_and_nothing_else(self):
        self.assertEqual(tine_header.exported_functions(),
                         sorted(tine_header.prototypes()))

    def test_thread_locals_are_found_without_a_call(self):
        symbols = tine_header.tool_output('nm', '-D', tine_header.LIBRARY)
        self.assertNotIn('__tls_get_addr', symbols)

    def test_archive_has_the_same_functions(self):
        symbols = tine_header.tool_output('nm', '--defined-only',
                                          tine_header.ARCHIVE)
        functions = re.findall(r' T (tine_\w+)$', symbols, re.MULTILINE)
        self.assertEqual(sorted(functions), tine_header.exported_functions())
        # A C++ runtime is its program's to bring.
        self.assertNotIn('__cxa_get_globals', symbols)

    def test_binary_interface_is_the_one_on_record(self):
        with open(programs.path('writer/c/abi.txt')) as file:
            recorded = file.read()
        self.assertEqual(
            abi_dump.dump(), recorded,
            'What programs were compiled against has changed. Fields may be '
            'added at the end of structs, functions and enumerators at will; '
            'then run: bazel run //tests/writer/c:abi_dump -- --write. Anything '
            'else needs a new soname.')


if __name__ == '__main__':
    outcome_lines.main()
