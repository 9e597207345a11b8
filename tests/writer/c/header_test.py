"""tine.h is C11 and C++17 without a warning, alone and first in a file."""

import os
import tempfile
import unittest

from tests.testing import outcome_lines, programs
from tests.writer.c import tine_header

STRICT = ('-Wall', '-Wextra', '-pedantic', '-Werror', '-Wstrict-prototypes',
          '-Wshadow', '-Wconversion', '-fsyntax-only')
USE = '''#include "tine.h"
#include "tine.h"
int main(void) {
  tine_series* series = NULL;
  tine_definition definition = {0};
  return (int)tine_register_single(&definition, &series, NULL, 0);
}
'''


class HeaderTest(unittest.TestCase):
    def compile(self, compiler, suffix, *flags, text=USE):
        with tempfile.TemporaryDirectory() as directory:
            source = os.path.join(directory, 'use' + suffix)
            with open(source, 'w') as file:
                file.write(text)
            result = programs.run(
                compiler, *flags, '-I' + os.path.dirname(tine_header.HEADER),
                source, timeout=120,
                env={'PATH': '/usr/bin:/bin', 'LC_ALL': 'C'})
            self.assertEqual((result.returncode, result.stderr), (0, ''))

    def test_is_c(self):
        for standard in ('c99', 'c11', 'c17'):
            with self.subTest(standard):
                self.compile('cc', '.c', '-std=' + standard, *STRICT)

    def test_is_cplusplus(self):
        flags = [flag for flag in STRICT if flag != '-Wstrict-prototypes']
        for standard in ('c++17', 'c++20'):
            with self.subTest(standard):
                self.compile('c++', '.cc', '-std=' + standard, *flags,
                             '-Wno-missing-field-initializers')

    def test_warnings_are_seen(self):
        with self.assertRaises(AssertionError):
            self.compile('cc', '.c', '-std=c11', *STRICT,
                         text='int main(void) { int unused; return 0; }\n')


if __name__ == '__main__':
    outcome_lines.main()
