"""A program with the writer in it needs libc and libstdc++, and nothing else."""

import re
import unittest

from tests.testing import outcome_lines, programs

WRITER = programs.path('tests/integration/short_lived_writers')
# libc with its loader, and libstdc++ with what it brings.
ALLOWED = re.compile(r'libc\.so\.6|ld-linux[-\w]*\.so\.\d+|'
                     r'libstdc\+\+\.so\.6|libgcc_s\.so\.1|libm\.so\.6')


class WriterDependenciesTest(unittest.TestCase):
    def needed_by(self, program):
        result = programs.run('readelf', '--dynamic', '--wide', program)
        self.assertEqual(result.returncode, 0, result.stderr)
        return re.findall(r'\(NEEDED\).*\[(.*)\]', result.stdout)

    def others_needed_by(self, program):
        return [name for name in self.needed_by(program)
                if not ALLOWED.fullmatch(name)]

    def test_writer_needs_libc_and_libstdcpp_alone(self):
        if programs.is_sanitized(WRITER):
            self.skipTest('a sanitizer brings libraries of its own')
        self.assertIn('libc.so.6', self.needed_by(WRITER))
        self.assertEqual(self.others_needed_by(WRITER), [])

    def test_others_needs_are_seen(self):
        collector = programs.path('collector/tine-collector')
        self.assertNotEqual(self.others_needed_by(collector), [])


if __name__ == '__main__':
    outcome_lines.main()
