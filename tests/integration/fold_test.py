"""Dead processes cost nothing: folded by a real collector, and by tine-compact."""

import os
import signal
import subprocess
import unittest

from tests.integration import collector_process
from tests.testing import outcome_lines, programs

COMPACT = programs.path('tools/tine-compact')
EMIT = programs.path('tools/tine-emit')
WRITERS = programs.path('tests/integration/short_lived_writers')
SHORT_LIVED_COUNT = 10_000


def metric_files(directory):
    return [name for name in os.listdir(directory) if name.endswith('.tine')]


def value_of(text, series):
    for line in text.splitlines():
        if line.startswith(series + ' '):
            return float(line.rsplit(' ', 1)[1])
    return None


class FoldTest(unittest.TestCase):
    def setUp(self):
        self.directory = programs.metrics_directory(self)

    def emit(self, *arguments):
        subprocess.run([EMIT, '--dir=' + self.directory, *arguments], check=True)

    def compact(self, *arguments):
        return programs.run(COMPACT, '--dir=' + self.directory, *arguments)

    def once(self):
        result = collector_process.run('--dir=' + self.directory, '--once')
        self.assertEqual(result.returncode, 0, result.stderr)
        return result.stdout

    def wait_until_folded(self):
        programs.wait_until(lambda: not metric_files(self.directory), 'folding')

    def read_calls_of_a_scrape(self, collector):
        before = value_of(collector.scrape(), 'tine_read_calls_total')
        return value_of(collector.scrape(), 'tine_read_calls_total') - before

    def test_thousands_of_short_lived_writers_leave_their_counts_alone(self):
        collector = collector_process.CollectorProcess(
            self, '--dir=' + self.directory)
        calls_before = self.read_calls_of_a_scrape(collector)
        subprocess.run([WRITERS, self.directory, str(SHORT_LIVED_COUNT)],
                       check=True)
        self.assertEqual(
            value_of(collector.scrape(), 'short_total{l="a"}'),
            SHORT_LIVED_COUNT)
        self.wait_until_folded()
        text = collector.scrape()
        self.assertEqual(value_of(text, 'short_total{l="a"}'),
                         SHORT_LIVED_COUNT)
        self.assertEqual(value_of(text, 'tine_folded_files_total'),
                         SHORT_LIVED_COUNT)
        self.assertEqual(self.read_calls_of_a_scrape(collector), calls_before)
        self.assertEqual(value_of(self.once(), 'short_total{l="a"}'),
                         SHORT_LIVED_COUNT)

    def test_collector_that_is_killed_and_started_again_goes_on(self):
        self.emit('counter', 'c_total', '1')
        collector = collector_process.CollectorProcess(
            self, '--dir=' + self.directory)
        self.wait_until_folded()
        collector.stop(signal.SIGKILL)
        self.emit('counter', 'c_total', '41')
        again = collector_process.CollectorProcess(
            self, '--dir=' + self.directory)
        self.assertEqual(value_of(again.scrape(), 'c_total'), 42)
        self.wait_until_folded()
        self.assertEqual(value_of(again.scrape(), 'c_total'), 42)

    def test_compact_folds_and_says_what(self):
        self.emit('counter', 'c_total', '1')
        self.emit('counter', 'c_total', '2')
        dry = self.compact('--dry-run')
        self.assertEqual((dry.returncode, len(metric_files(self.directory))),
                         (0, 2), dry.stderr)
        self.assertIn('would fold 2 files', dry.stdout)
        done = self.compact()
        self.assertEqual((done.returncode, metric_files(self.directory)),
                         (0, []), done.stderr)
        self.assertIn('folded 2 files', done.stdout)
        self.assertEqual(value_of(self.once(), 'c_total'), 3)
        self.assertIn('folded 0 files', self.compact().stdout)

    def test_compact_leaves_the_work_to_a_running_collector(self):
        collector = collector_process.CollectorProcess(
            self, '--dir=' + self.directory)
        self.emit('counter', 'c_total', '1')
        result = self.compact()
        self.assertEqual(result.returncode, 3, result.stderr)
        self.assertIn('a collector runs there', result.stdout)
        result = self.compact('--wait')
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(metric_files(self.directory), [])
        self.assertEqual(value_of(collector.scrape(), 'c_total'), 1)

    def test_compact_says_what_is_wrong(self):
        missing = programs.run(COMPACT, '--dir=/nowhere/at/all')
        self.assertEqual(missing.returncode, 1)
        self.assertIn('/nowhere/at/all: No such file', missing.stderr)
        self.assertEqual(self.compact('--dry').returncode, 2)
        self.assertEqual(self.compact('--wait', '--dry-run').returncode, 2)


if __name__ == '__main__':
    outcome_lines.main()
