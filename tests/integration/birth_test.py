"""A new series' first count is an increase: --series.birth-at-zero, for real."""

import json
import os
import shutil
import subprocess
import tempfile
import unittest
import urllib.parse

from tests.integration import collector_process
from tests.testing import outcome_lines, programs

EMIT = programs.path('tools/tine-emit')


def value_of(text, series):
    for line in text.splitlines():
        if line.startswith(series + ' '):
            return float(line.rsplit(' ', 1)[1])
    return None


class Bench(unittest.TestCase):
    def setUp(self):
        self.directory = programs.metrics_directory(self)

    def start_collector(self, *flags):
        collector = collector_process.CollectorProcess(
            self, '--dir=' + self.directory, *flags)
        collector.scrape()
        return collector

    def start_writer(self):
        writer = programs.start(
            self, EMIT, '--dir=' + self.directory, '--stdin', '--ack',
            stdin=subprocess.PIPE, stdout=subprocess.PIPE)

        def emit(line):
            writer.stdin.write(line + '\n')
            writer.stdin.flush()
            self.assertEqual(writer.stdout.readline(), 'ok\n')

        return emit


class BirthTest(Bench):
    def test_new_series_is_zero_then_true_and_a_restart_serves_it_as_it_is(self):
        flag = '--series.birth-at-zero=500ms'
        collector = self.start_collector(flag)
        emit = self.start_writer()
        emit('counter c_total 5')
        seen = [value_of(collector.scrape(), 'c_total')]

        def is_true():
            seen.append(value_of(collector.scrape(), 'c_total'))
            return seen[-1] == 5

        programs.wait_until(is_true, 'c_total 5')
        self.assertEqual((seen[0], set(seen)), (0, {0, 5}))
        self.assertEqual(seen, sorted(seen))
        emit('counter c_total 1')
        self.assertEqual(value_of(collector.scrape(), 'c_total'), 6)
        collector.stop()
        self.assertEqual(
            value_of(self.start_collector(flag).scrape(), 'c_total'), 6)

    def test_text_of_newborns_is_valid(self):
        collector = self.start_collector('--series.birth-at-zero=1h')
        emit = self.start_writer()
        emit('histogram h 1.5 --buckets=1,2')
        emit('summary s 3')
        text = collector.scrape()
        self.assertEqual([line for line in text.splitlines()
                          if line.startswith(('h_', 's_'))],
                         ['h_bucket{le="1"} 0', 'h_bucket{le="2"} 0',
                          'h_bucket{le="+Inf"} 0', 'h_sum 0', 'h_count 0',
                          's_sum 0', 's_count 0'])
        if shutil.which('promtool'):
            result = programs.run('promtool', 'check', 'metrics', input=text)
            # Its advice on names is 3; what it cannot read is 1.
            self.assertIn(result.returncode, (0, 3), result.stderr)


@unittest.skipUnless(shutil.which('prometheus'), 'prometheus is not installed')
class PrometheusTest(Bench):
    def start_prometheus(self, ports):
        """Returns what asks it: the value of a query, or None."""
        directory = tempfile.mkdtemp(prefix='test-tine-prometheus-')
        self.addCleanup(shutil.rmtree, directory, ignore_errors=True)
        config = {
            'global': {'scrape_interval': '1s', 'scrape_timeout': '1s'},
            'scrape_configs': [
                {'job_name': job,
                 'static_configs': [{'targets': ['127.0.0.1:%d' % port]}]}
                for job, port in ports.items()],
        }
        path = os.path.join(directory, 'prometheus.yml')
        with open(path, 'w', encoding='utf-8') as file:
            json.dump(config, file)  # which is YAML
        address = '127.0.0.1:%d' % programs.free_port()
        programs.start(self, 'prometheus', '--config.file=' + path,
                       '--storage.tsdb.path=' + os.path.join(directory, 'data'),
                       '--web.listen-address=' + address,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

        def ask(query):
            try:
                answer = json.loads(programs.get(
                    'http://%s/api/v1/query?%s' % (
                        address, urllib.parse.urlencode({'query': query}))))
            except OSError:
                return None
            result = answer['data']['result']
            return float(result[0]['value'][1]) if result else None

        return ask

    def test_increase_sees_the_first_count(self):
        collectors = {'newborn': self.start_collector(
            '--series.birth-at-zero=3s'), 'plain': self.start_collector()}
        ask = self.start_prometheus(
            {job: collector.ports[0] for job, collector in collectors.items()})
        programs.wait_until(
            lambda: all(ask('tine_writers{job="%s",state="live"}' % job) == 0
                        for job in collectors), 'first scrapes')
        self.start_writer()('counter c_total 5')
        for job in collectors:
            programs.wait_until(
                lambda job=job: ask('c_total{job="%s"}' % job) == 5, job)
        # Two samples at least, and both there for as long.
        programs.wait_until(
            lambda: (ask('count_over_time(c_total{job="plain"}[1h])') or 0) > 4
            and (ask('increase(c_total{job="newborn"}[1h])') or 0) > 0,
            'samples')
        self.assertGreaterEqual(ask('increase(c_total{job="newborn"}[1h])'), 5)
        # The control: without the flag it is lost.
        self.assertEqual(ask('increase(c_total{job="plain"}[1h])'), 0)


if __name__ == '__main__':
    outcome_lines.main()
