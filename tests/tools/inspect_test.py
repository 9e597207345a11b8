"""tine-inspect: dumps, verdicts and the table of writers."""

import os
import signal
import subprocess
import unittest

from tests.testing import outcome_lines, programs

EMIT = programs.path('tools/tine-emit')
INSPECT = programs.path('tools/tine-inspect')
GOLDEN = programs.path('tests/testdata/golden')


def golden_path(name):
    """The file itself: among a test's data it is a link."""
    return os.path.realpath(os.path.join(GOLDEN, name))


def inspect(*arguments):
    return programs.run(INSPECT, *arguments)


def golden(name):
    with open(golden_path(name), 'rb') as file:
        return bytearray(file.read())


class InspectTest(unittest.TestCase):
    def setUp(self):
        self.directory = programs.metrics_directory(self)

    def write(self, data, name='file.tine'):
        path = os.path.join(self.directory, name)
        with open(path, 'wb') as file:
            file.write(data)
        return path

    def start_writer(self, *flags):
        """A live tine-emit and the name of its file."""
        before = set(os.listdir(self.directory))
        writer = programs.start(
            self, EMIT, '--dir=' + self.directory, '--stdin', '--ack', *flags,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        writer.stdin.write('counter c_total a=b 42\n')
        writer.stdin.flush()
        self.assertEqual(writer.stdout.readline(), 'ok\n')
        (name,) = set(os.listdir(self.directory)) - before
        return writer, name


class DumpTest(InspectTest):
    def test_golden_file_is_shown_whole(self):
        result = inspect(golden_path('process_labels.tine'))
        self.assertEqual((result.returncode, result.stderr), (0, ''))
        for part in ('version 1.0', 'uuid a0a1a2a3a4a5a6a7a8a9aaabacadae08',
                     'pid 1234', 'uid 1000', '2025-06-01T12:00:00.000000000Z',
                     'executable "my server"', 'worker id "3"',
                     'app="web",zone="b,ü"', 'used 8384 of 16777216',
                     'series 4, observations 5', 'without a file 6',
                     '00001000  CELLS 4160 bytes: slot 0, chunk 0',
                     '00002040  FAMILY 64 bytes: counter u64 up_total',
                     '00002080  SERIES 64 bytes: up_total, cells 0 to 0',
                     '  up_total 1\n'):
            self.assertIn(part, result.stdout)

    def test_removed_series_is_said_to_be_removed(self):
        result = inspect(golden_path('removed.tine'))
        for part in ('REMOVED 64 bytes: jobs_total{queue="disk"}, cells 1 to '
                     '1, at 2025-06-01T12:00:02.000000000Z',
                     '  jobs_total{queue="disk"} 25, removed\n',
                     '  jobs_total{queue="disk"} 7\n',
                     '  room_celsius{place="roof"} 1.5, removed\n'):
            self.assertIn(part, result.stdout)

    def test_values_are_summed_over_slots(self):
        for name, line in (
                ('summary', 'size_bytes count 1099511627780 sum 0.35'),
                ('counter_f64', 'busy_seconds_total{cpu="0",mode="user"} 1.75'),
                ('up_down_counter', 'requests_in_flight -2'),
                ('gauge', 'temperature_celsius{place="never set"} unset'),
                ('gauge', 'temperature_celsius{place="sun"} +Inf'),
                ('histogram', 'latency_seconds{path="/"} count 13 sum 10 '
                              'buckets -0.5:1 0.25:3 1e+09:5 +Inf:4'),
                ('gauge_most_recent', 'last_success_timestamp 17 set '
                                      '2025-06-01T12:00:05.000000001Z')):
            with self.subTest(name):
                result = inspect(golden_path(name + '.tine'))
                self.assertIn('\n  %s\n' % line, result.stdout)

    def test_untrusted_text_cannot_drive_the_terminal(self):
        result = inspect(golden_path('counter_f64.tine'))
        self.assertIn('sys\\"\\\\\\ntem é', result.stdout)
        evil = self.write(golden('empty.tine'), '\x1b[2J\n.tine')
        for flags in ([], ['--verify']):
            result = inspect(*flags, evil, evil + 'x')
            for text in (result.stdout, result.stderr):
                self.assertNotIn('\x1b', text)
                self.assertIn('\\x1b[2J\\n', text)

    def test_damaged_record_ends_the_dump(self):
        data = golden('counter_u64.tine')
        data[8320 + 20] ^= 1
        result = inspect(self.write(data))
        self.assertIn('00002040  FAMILY', result.stdout)
        self.assertNotIn('SERIES', result.stdout)
        self.assertIn('damage: record_checksum at offset 8320', result.stdout)

    def test_what_is_no_file_is_a_clear_error(self):
        os.mkfifo(self.directory + '/pipe')
        os.symlink(golden_path('empty.tine'), self.directory + '/link')
        for name, error in (('missing', 'No such file'),
                            ('pipe', 'not a regular file'),
                            ('link', 'symbolic link'),
                            ('.', 'not a regular file')):
            with self.subTest(name):
                result = inspect(os.path.join(self.directory, name))
                self.assertEqual(result.returncode, 1)
                self.assertIn(error, result.stderr)

    def test_usage_errors_end_with_2(self):
        for arguments in ([], ['--dir=' + self.directory, 'file'],
                          ['--unknown'], ['--verify']):
            self.assertEqual(inspect(*arguments).returncode, 2, arguments)


class VerifyTest(InspectTest):
    def test_golden_files_are_sound(self):
        names = [golden_path(name) for name in os.listdir(GOLDEN)
                 if name.endswith('.tine')]
        result = inspect('--verify', *names)
        self.assertEqual(result.returncode, 0, result.stdout)
        self.assertEqual(sorted(result.stdout.splitlines()),
                         sorted(name + ': sound' for name in names))

    def test_damage_is_named_with_its_offset(self):
        changes = {
            'bad_magic at offset 0': (0, 0),
            'header_checksum at offset 0': (100, 0),
            'used_out_of_range at offset 3968': (3968, 1),
            'record_length at offset 8256': (8256, 65),
            'record_checksum at offset 8320': (8340, 99),
        }
        for verdict, (offset, byte) in changes.items():
            with self.subTest(verdict):
                data = golden('counter_u64.tine')
                data[offset] = byte
                path = self.write(data)
                result = inspect('--verify', path)
                self.assertEqual(result.returncode, 1)
                self.assertEqual(result.stdout, '%s: damage: %s\n' % (path, verdict))

    def test_truncation_is_noticed_at_every_length(self):
        data = golden('counter_u64.tine')
        for size in [0, 1, 4095, 4096, 4160, 8256, 8383]:
            result = inspect('--verify', self.write(data[:size]))
            self.assertEqual(result.returncode, 1, size)

    def test_absurd_used_is_no_burden(self):
        data = golden('empty.tine')
        data[3968:3976] = (1 << 40).to_bytes(8, 'little')
        path = self.write(data)
        os.truncate(path, 1 << 40)
        result = inspect('--verify', path)
        self.assertEqual(result.returncode, 1)
        self.assertIn('used_out_of_range', result.stdout)

    def test_uuid_of_name_and_header_must_agree(self):
        uuid = 'a0a1a2a3a4a5a6a7a8a9aaabacadae01'
        good = self.write(golden('counter_u64.tine'), '7.%s.tine' % uuid)
        self.assertEqual(inspect('--verify', good).returncode, 0)
        bad = self.write(golden('counter_u64.tine'),
                         '7.%s.tine' % uuid.replace('0', 'f'))
        self.assertEqual(inspect('--verify', bad).returncode, 1)
        self.assertEqual(
            inspect('--verify', '--dir=' + self.directory).returncode, 1)

    def test_live_files_are_sound(self):
        _, name = self.start_writer()
        result = inspect('--verify', '--dir=' + self.directory)
        self.assertEqual((result.returncode, result.stdout),
                         (0, name + ': sound\n'))


class TableTest(InspectTest):
    def rows(self):
        result = inspect('--dir=' + self.directory)
        self.assertEqual(result.returncode, 0, result.stderr)
        lines = [line.split() for line in result.stdout.splitlines()]
        self.assertEqual(lines[0], ['PID', 'STATE', 'SERIES', 'BYTES', 'LABELS',
                                    'FILE'])
        return lines[1:]

    def test_writers_are_live_until_they_are_gone(self):
        killed, killed_name = self.start_writer('--process-labels=app=x,b=y')
        ended, ended_name = self.start_writer()
        pids = [str(writer.pid) for writer in (killed, ended)]
        self.assertEqual(
            sorted(row[:3] + row[4:] for row in self.rows()),
            sorted([[pids[0], 'live', '1', 'app="x",b="y"', killed_name],
                    [pids[1], 'live', '1', ended_name]]))
        # Header, FAMILY, SERIES, one block for each slot.
        self.assertTrue(all(int(row[3]) % 64 == 0 and int(row[3]) >= 8384
                            for row in self.rows()))
        killed.send_signal(signal.SIGKILL)
        killed.wait()
        states = {row[0]: row[1] for row in self.rows()}
        self.assertEqual(states, {pids[0]: 'dead', pids[1]: 'live'})
        ended.stdin.close()
        self.assertEqual(ended.wait(), 0)
        self.assertEqual([row[1] for row in self.rows()], ['dead', 'dead'])
        self.assertIn('clean exit',
                      inspect(os.path.join(self.directory, ended_name)).stdout)
        self.assertIn('no clean exit yet',
                      inspect(os.path.join(self.directory, killed_name)).stdout)

    def test_read_lock_of_a_stranger_is_no_life(self):
        import fcntl
        import struct
        writer, name = self.start_writer()
        writer.kill()
        writer.wait()
        with open(os.path.join(self.directory, name), 'rb') as file:
            lock = struct.pack('hhqqi4x', fcntl.F_RDLCK, 0, 0, 0, 0)
            fcntl.fcntl(file, 37, lock)  # F_OFD_SETLK
            self.assertEqual(self.rows()[0][1], 'dead')

    def test_files_of_another_kernel_are_foreign(self):
        self.write(golden('counter_u64.tine'),
                   '7.a0a1a2a3a4a5a6a7a8a9aaabacadae01.tine')
        self.assertEqual(self.rows()[0][1], 'foreign')

    def test_only_metric_files_are_listed(self):
        self.write(b'x', 'notes.txt')
        self.write(golden('empty.tine'), 'file.tine')
        self.write(b'', '.tine-tmp-a0a1a2a3a4a5a6a7a8a9aaabacadae01')
        self.assertEqual(self.rows(), [])

    def test_damaged_files_say_so(self):
        self.write(b'x' * 5000, '7.a0a1a2a3a4a5a6a7a8a9aaabacadae01.tine')
        row = self.rows()[0]
        self.assertEqual(row[1], 'damaged')
        self.assertIn('bad_magic', row)

    def test_missing_directory_is_a_clear_error(self):
        result = inspect('--dir=' + self.directory + '/missing')
        self.assertEqual(result.returncode, 1)
        self.assertIn('No such file', result.stderr)


if __name__ == '__main__':
    outcome_lines.main()
