"""A reader written from FORMAT.md alone reads what a real writer makes."""

import os
import subprocess
import unittest

from tests.compatibility import read_format
from tests.testing import outcome_lines, programs

EMIT = programs.path('tools/tine-emit')

COMMANDS = r'''
counter c_total 1
counter c_total 41
counter labelled_total b=2 a='x "y" \z' 7 --help-text="Größe, \"quoted\""
counter labelled_total b=2 a= 8
counter busy_seconds_total 0.1 --unit=seconds
counter busy_seconds_total 0.25
updown u -5 --mode=livesum
updown u 3
gauge g_all -2.5 --mode=all
gauge g_sum 1 --op=add
gauge g_sum 0.5 --op=add
gauge g_zero 0 --mode=livemax
gauge g_inf -Inf --mode=min
gauge g_recent 17
histogram h_seconds path=/ 0.5 --buckets=0.25,0.5,1e3 --unit=seconds
histogram h_seconds path=/ 0.5000001
histogram h_seconds path=/ 1e9
summary s_bytes 3
summary s_bytes 0.125
'''

EXPECTED = r'''
process app='web'
process zone='b'
counter c_total{} 42
counter labelled_total{a='x "y" \\z',b='2'} 7
counter labelled_total{a='',b='2'} 8
counter busy_seconds_total{} 0.35
updown u{} -2
gauge g_all{} -2.5
gauge g_sum{} 1.5
gauge g_zero{} 0.0
gauge g_inf{} -inf
gauge g_recent{} 17.0 at=TIME
histogram h_seconds{path='/'} buckets=0.25:0,0.5:1,1000.0:1,+Inf:1 sum=1000000001.0000001
summary s_bytes{} count=2 sum=3.125
'''


class WriterFilesTest(unittest.TestCase):
    def setUp(self):
        self.directory = programs.metrics_directory(self)
        self.writer = programs.start(
            self, EMIT, '--dir=' + self.directory, '--stdin', '--ack',
            '--process-labels=app=web,zone=b', stdin=subprocess.PIPE,
            stdout=subprocess.PIPE)

    def emit(self, line):
        self.writer.stdin.write(line + '\n')
        self.writer.stdin.flush()
        self.assertEqual(self.writer.stdout.readline(), 'ok\n', line)

    def read_files(self):
        lines = []
        for name in sorted(os.listdir(self.directory)):
            lines += read_format.read_file(os.path.join(self.directory, name))
        return lines

    def assert_holds_everything(self):
        lines = self.read_files()
        for i, line in enumerate(lines):
            if ' at=' in line:
                self.assertGreater(int(line.split(' at=')[1]), 1.7e18)
                lines[i] = line.split(' at=')[0] + ' at=TIME'
        self.assertEqual(sorted(lines), sorted(EXPECTED.split('\n')[1:-1]))

    def test_every_instrument_is_read_from_a_live_and_from_a_dead_writer(self):
        for line in COMMANDS.split('\n')[1:-1]:
            self.emit(line)
        self.assert_holds_everything()
        self.writer.kill()
        self.writer.wait()
        self.assert_holds_everything()

    def test_many_series_fill_several_chunks(self):
        for i in range(1500):
            self.emit('counter many_total i=%d %d' % (i, i))
            if i % 7 == 0:
                self.emit('histogram h i=%d %d --buckets=1,2,3,4,5' % (i, i))
        lines = self.read_files()
        counters = ["counter many_total{i='%d'} %d" % (i, i)
                    for i in range(1500)]
        self.assertEqual([x for x in lines if x.startswith('counter')], counters)
        self.assertEqual(sum('histogram' in x for x in lines), 215)


if __name__ == '__main__':
    outcome_lines.main()
