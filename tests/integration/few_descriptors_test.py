"""Thousands of live writers, and a collector that may have 64 descriptors."""

import os
import resource
import subprocess
import unittest

from tests.integration import collector_process
from tests.testing import outcome_lines, programs

WRITERS = programs.path('tests/integration/waiting_writers')
MAX_DESCRIPTORS = 64
WRITER_BYTES = 64 << 10
SERIES = 'waiting_total{l="a"}'


def writer_count(directory):
    """5,000, or as many as this machine has room for; fewer when sanitized."""
    limits = [300 if programs.is_sanitized(WRITERS) else 5_000]
    processes = resource.getrlimit(resource.RLIMIT_NPROC)[0]
    if processes != resource.RLIM_INFINITY:
        limits.append(processes // 2)
    space = os.statvfs(directory)
    limits.append(space.f_bavail * space.f_frsize // 2 // WRITER_BYTES)
    return min(limits)


def limit_descriptors():
    resource.setrlimit(resource.RLIMIT_NOFILE,
                       (MAX_DESCRIPTORS, MAX_DESCRIPTORS))


def value_of(text, series):
    for line in text.splitlines():
        if line.startswith(series + ' '):
            return float(line.rsplit(' ', 1)[1])
    return None


class FewDescriptorsTest(unittest.TestCase):
    def setUp(self):
        self.directory = programs.metrics_directory(self)
        self.writers = programs.start(
            self, WRITERS, self.directory, stdin=subprocess.PIPE,
            stdout=subprocess.PIPE)
        self.collector = collector_process.CollectorProcess(
            self, '--dir=' + self.directory, preexec_fn=limit_descriptors)

    def command(self, line):
        self.writers.stdin.write(line + '\n')
        self.writers.stdin.flush()
        answer = self.writers.stdout.readline()
        if answer != 'done\n' and line.startswith('start'):
            self.skipTest('this user may not have so many processes')
        self.assertEqual(answer, 'done\n', line)

    def scrape(self):
        text = self.collector.scrape()
        self.assertLessEqual(
            len(os.listdir('/proc/%d/fd' % self.collector.pid)),
            MAX_DESCRIPTORS)
        self.assertEqual(value_of(text, 'tine_unopened_files'), 0)
        self.assertEqual(value_of(text, 'process_max_fds'), MAX_DESCRIPTORS)
        return text

    def test_totals_are_exact_while_writers_count_come_and_die(self):
        count = writer_count(self.directory)
        self.command('start %d' % count)
        text = self.scrape()
        self.assertEqual(value_of(text, SERIES), count)
        self.assertEqual(value_of(text, 'tine_writers{state="live"}'), count)
        self.command('count')
        total = 2 * count
        self.assertEqual(value_of(self.scrape(), SERIES), total)
        self.command('kill %d' % (count // 2))
        text = self.scrape()
        self.assertEqual(value_of(text, SERIES), total)
        self.assertEqual(value_of(text, 'tine_writers{state="live"}'),
                         count - count // 2)
        self.command('start 100')
        self.command('count')
        total += 100 + count - count // 2 + 100
        self.assertEqual(value_of(self.scrape(), SERIES), total)
        # The dead are folded, and the living go on.
        programs.wait_until(
            lambda: value_of(self.scrape(), 'tine_folded_files_total')
            == count // 2, 'folding')
        self.command('count')
        total += count - count // 2 + 100
        text = self.scrape()
        self.assertEqual(value_of(text, SERIES), total)
        self.assertGreater(value_of(text, 'tine_reopened_files_total'), count)
        self.assertNotIn('level=error', self.collector.log())


if __name__ == '__main__':
    outcome_lines.main()
