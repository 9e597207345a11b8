"""FORMAT.md, make_golden.py, the golden files and read_format.py agree."""

import os
import re
import unittest

from tests.compatibility import read_format
from tests.testdata import make_golden
from tests.testing import outcome_lines

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..')
GOLDEN = os.path.join(ROOT, 'tests', 'testdata', 'golden')
HEX_LINE = re.compile(r'^([0-9a-f]{8})((?:  ?[0-9a-f]{2}){0,16})(?:   *\S.*)?$')


def read(*path):
    with open(os.path.join(*path), 'rb') as file:
        return file.read()


def bytes_of_hexdump(lines):
    """Undoes `hexdump -C`: `*` repeats the line before up to the next one."""
    data = b''
    repeats = False
    for line in lines:
        if line == '*':
            repeats = True
            continue
        offset_text, row = HEX_LINE.match(line).groups()
        offset = int(offset_text, 16)
        if repeats:
            data += data[-16:] * ((offset - len(data)) // 16)
            repeats = False
        assert len(data) == offset, line
        data += bytes.fromhex(row)
    return data


def expected_lines():
    """File name -> the lines that expected.txt gives it."""
    result = {}
    for line in read(GOLDEN, 'expected.txt').decode().splitlines():
        if line.startswith('  '):
            lines.append(line[2:])
        elif not line.startswith('#'):
            lines = result[line] = []
    return result


class FormatDocumentTest(unittest.TestCase):
    def test_hex_example_is_the_golden_file(self):
        document = read(ROOT, 'common', 'FORMAT.md').decode()
        example = document.split('## Example')[-1].split('```')[1]
        self.assertEqual(bytes_of_hexdump(example.strip().splitlines()),
                         read(GOLDEN, 'counter_u64.tine'))

    def test_damage_table_has_every_reason_of_the_codec(self):
        document = read(ROOT, 'common', 'FORMAT.md').decode()
        table = document.split('\n## Damage')[1].split('\n## ')[0]
        codec = read(ROOT, 'common', 'record_codec.cc').decode()
        names = codec.split('DamageReasonName(')[1].split('\n}\n')[0]
        in_codec = set(re.findall(r'return "(\w+)"', names)) - {'unknown'}
        self.assertEqual(set(re.findall(r'^\| `(\w+)`', table, re.M)), in_codec)


class GoldenTest(unittest.TestCase):
    def test_checked_in_files_are_what_the_script_makes(self):
        for name, make in make_golden.GOLDEN.items():
            with self.subTest(name):
                self.assertEqual(make(), read(GOLDEN, name))
        self.assertEqual(
            sorted(make_golden.GOLDEN) + ['expected.txt'],
            sorted(os.listdir(GOLDEN), key=lambda n: (n[-4:] == '.txt', n)))

    def test_python_reader_finds_what_was_written_down_by_hand(self):
        expected = expected_lines()
        self.assertEqual(set(expected), set(make_golden.GOLDEN))
        for name, lines in expected.items():
            with self.subTest(name):
                self.assertEqual(list(read_format.read(read(GOLDEN, name))),
                                 lines)


if __name__ == '__main__':
    outcome_lines.main()
