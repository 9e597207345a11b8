"""The example program: prometheus-cpp's Exposer serves the merged metrics."""

import re
import signal
import subprocess
import unittest
import urllib.request

from tests.integration import collector_process
from tests.testing import outcome_lines
from tests.testing import programs

EXPOSER = programs.path('examples/exposer/exposer')


class ExposerExampleTest(unittest.TestCase):
    def start(self, directory):
        process = programs.start(self, EXPOSER, directory, '127.0.0.1:0',
                                 stdout=subprocess.PIPE)
        line = process.stdout.readline()
        self.assertRegex(line, r'on port \d+$')
        return process, int(re.search(r'(\d+)$', line).group(1))

    def scrape(self, port):
        with urllib.request.urlopen(
                'http://127.0.0.1:%d/metrics' % port,
                timeout=programs.TIMEOUT_S) as response:
            return response.read().decode()

    def test_merged_metrics_are_scraped(self):
        directory = programs.metrics_directory(self)
        collector_process.place_golden(directory, 'counter_u64.tine')
        process, port = self.start(directory)
        self.assertIn('# TYPE requests_total counter\n'
                      'requests_total{method="GET"} 42\n', self.scrape(port))
        collector_process.place_golden(directory, 'summary.tine')
        self.assertIn('\nsize_bytes_count 1099511627780\n', self.scrape(port))
        process.send_signal(signal.SIGTERM)
        self.assertEqual(process.wait(programs.TIMEOUT_S), 0)

    def test_help_is_escaped_and_forges_no_line(self):
        directory = programs.metrics_directory(self)
        collector_process.place_golden(directory, 'counter_f64.tine')
        _, port = self.start(directory)
        self.assertIn('# HELP busy_seconds_total Busy: "x\\\\y"\\nper CPU, µ.\n'
                      '# TYPE busy_seconds_total counter\n', self.scrape(port))

    def test_directory_that_is_no_directory_is_an_empty_answer(self):
        _, port = self.start('/etc/passwd')
        self.assertNotIn('requests_total', self.scrape(port))


if __name__ == '__main__':
    outcome_lines.main()
