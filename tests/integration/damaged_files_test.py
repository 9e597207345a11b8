"""Damaged files through the real programs: what is left of each is said by hand.

Each damage is named, with its reason and with how many series of the file come
before it. The file is `everything`; a sound neighbour lies beside it.
"""

import os
import struct
import unittest

from tests.integration import collector_process
from tests.testdata import make_golden
from tests.testing import outcome_lines
from tests.testing import programs

INSPECT = programs.path('tools/tine-inspect')
NEIGHBOUR = [
    'a_neighbour_seconds_bucket{method="GET",le="0.5"} 0',
    'a_neighbour_seconds_bucket{method="GET",le="1"} 3',
    'a_neighbour_seconds_bucket{method="GET",le="+Inf"} 4',
    'a_neighbour_seconds_sum{method="GET"} 2.25',
    'a_neighbour_seconds_count{method="GET"} 4',
    r'a_neighbour_total{path="/\"\\"} 17',
]
# Samples of the first n series of `everything`: 15 counters, up-down counters
# and gauges, a summary, two histograms of three buckets.
SAMPLES = [*range(16), 17, 23, 29]


def offsets(data):
    """Where the records begin, and where the last one ends."""
    result = [4096]
    while result[-1] < len(data):
        result.append(result[-1] +
                      struct.unpack_from('<I', data, result[-1])[0])
    return result


def put(data, at, text):
    return data[:at] + text + data[at + len(text):]


def flipped(data, at):
    return put(data, at, bytes([data[at] ^ 0x10]))


def resealed(data, number):
    """The record with a right checksum."""
    begin, end = offsets(data)[number:number + 2]
    is_mutable = data[begin + 5] & 0x80
    bare = put(data[begin:end], 8, bytes(4))
    return put(data, begin, make_golden.sealed(bare, 64 if is_mutable else None))


def resealed_header(data):
    crc = make_golden.zlib.crc32(data[:3964])
    return put(data, 3964, struct.pack('<I', crc))


def in_record(number, at, text=None):
    """A damage: these bytes of a record, and its checksum put right; or one
    flipped bit, and the checksum left."""
    def damage(data):
        begin = offsets(data)[number]
        if text is None:
            return flipped(data, begin + at)
        return resealed(put(data, begin + at, text), number)
    return damage


def in_header(at, text):
    return lambda data: resealed_header(put(data, at, text))


def used(value_of):
    """A damage: `used` is another; it has no checksum."""
    return lambda data: put(data, 3968, struct.pack('<Q', value_of(data)))


def u32(number):
    return struct.pack('<I', number)


# name: (damage, reason, series left)
DAMAGES = {
    'short_header': (lambda data: data[:4095], 'short_header', 0),
    'nothing': (lambda data: b'', 'short_header', 0),
    'all_zeroes': (lambda data: bytes(len(data)), 'bad_magic', 0),
    'text_mode': (lambda data: data.replace(b'\r\n', b'\n', 1), 'bad_magic', 0),
    'other_endian': (in_header(8, b'\1\2\3\4'), 'wrong_endian', 0),
    'major_0': (in_header(12, b'\0\0'), 'unknown_version', 0),
    'major_2': (in_header(12, b'\2\0'), 'unknown_version', 0),
    'major_65535': (in_header(12, b'\xff\xff'), 'unknown_version', 0),
    'unknown_flag': (in_header(24, u32(1)), 'incompatible_flag', 0),
    'flipped_uid': (lambda data: flipped(data, 84), 'header_checksum', 0),
    'too_many_labels': (in_header(124, b'\x41\0'), 'header_fields', 0),
    'used_beyond_file': (used(lambda data: len(data) + 64),
                         'used_out_of_range', 0),
    'file_cut': (lambda data: data[:-64], 'used_out_of_range', 0),
    'used_in_a_record': (used(lambda data: offsets(data)[4] + 64),
                         'record_length', 2),
    'first_block': (in_record(0, 16), 'record_checksum', 0),
    'first_family': (in_record(1, 40), 'record_checksum', 0),
    'second_series': (in_record(3, 32), 'record_checksum', 1),
    'length_zero': (lambda data: put(data, offsets(data)[4], u32(0)),
                    'record_length', 2),
    'kind_zero': (in_record(7, 4, b'\0\0'), 'record_fields', 3),
    'block_twice': (in_record(6, 12, u32(0)), 'duplicate_block', 3),
    'no_such_family': (in_record(8, 12, u32(4097)), 'family_reference', 3),
    'cells_of_another': (in_record(10, 24, u32(0)), 'cell_range', 4),
    'bad_label_value': (in_record(3, 34, b'\xff'), 'invalid_text', 1),
    'bad_family_name': (in_record(9, 32, b'9'), 'invalid_name', 4),
    'unknown_record': (in_record(11, 70), 'record_checksum', 5),
    'changing_unknown_record': (in_record(37, 20), 'record_checksum', 17),
    'last_block': (in_record(39, 16), 'record_checksum', 18),
}
# What no reader can see, and what is no damage.
SOUND = {
    'nothing_wrong': lambda data: data,
    'later_minor': in_header(14, b'\xff\xff'),
    'body_of_an_unknown_record': in_record(37, 100),
    'behind_used': lambda data: data + b'\xff' * 100,
}


def samples_of(text):
    return [line for line in text.splitlines()
            if line and not line.startswith('#')]


class DamagedFilesTest(unittest.TestCase):
    def setUp(self):
        self.directory = programs.metrics_directory(self)
        collector_process.place(self.directory, make_golden.make_neighbour())

    def place(self, data, number=11):
        """A file whose uuid ends in `number`."""
        name = '1234.%s%02x.tine' % (bytes(range(0xa0, 0xaf)).hex(), number)
        path = os.path.join(self.directory, name)
        with open(path, 'wb') as file:
            file.write(data)
        return path

    def once(self):
        result = collector_process.run('--dir=' + self.directory, '--once')
        self.assertEqual(result.returncode, 0, result.stderr)
        return result

    def check_served(self, series_count):
        samples = samples_of(self.once().stdout)
        self.assertEqual(samples[:len(NEIGHBOUR)], NEIGHBOUR)
        self.assertEqual(len(samples) - len(NEIGHBOUR), SAMPLES[series_count],
                         samples)

    def test_what_comes_before_the_damage_is_served(self):
        for name, (damage, reason, series_count) in DAMAGES.items():
            with self.subTest(name):
                path = self.place(damage(make_golden.make_everything()))
                self.check_served(series_count)
                verdict = programs.run(INSPECT, '--verify', path)
                self.assertEqual(verdict.returncode, 1, verdict.stdout)
                self.assertIn(reason, verdict.stdout + verdict.stderr)

    def test_what_is_no_damage_is_served_whole(self):
        for name, change in SOUND.items():
            with self.subTest(name):
                path = self.place(change(make_golden.make_everything()))
                self.check_served(18)
                verdict = programs.run(INSPECT, '--verify', path)
                self.assertEqual(verdict.returncode, 0, verdict.stdout)

    def test_each_is_counted_by_reason_and_told_of_once(self):
        counts = {}
        for number, (damage, reason, _) in enumerate(DAMAGES.values(), 20):
            data = put(make_golden.make_everything(), 47, bytes([number]))
            self.place(damage(resealed_header(data)), number)
            counts[reason] = counts.get(reason, 0) + 1
        collector = collector_process.CollectorProcess(
            self, '--dir=' + self.directory)
        for _ in range(3):
            text = collector.scrape()
        for reason, count in counts.items():
            self.assertIn('tine_damage_total{reason="%s"} %d\n' %
                          (reason, count), text)
        log = collector.log()
        for number in range(20, 20 + len(DAMAGES)):
            self.assertEqual(log.count('%02x.tine' % number), 1, log)
        self.assertTrue(set(NEIGHBOUR) <= set(samples_of(text)))
        for checked in (
                programs.run('promtool', 'check', 'metrics', input=text),
                programs.parse_with_client_python(text)):
            # promtool's advice on names is 3; what it cannot read is 1.
            self.assertIn(checked.returncode, (0, 3), checked.stderr)


if __name__ == '__main__':
    outcome_lines.main()
