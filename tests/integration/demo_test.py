"""The whole chain: tine-demo counts, tine-collector merges, Prometheus scrapes.

The truth is the demo's ledger, a second count of all requests in memory that the
workers share. For every series at any time: done <= served value <= attempted.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import threading
import time
import unittest
import urllib.parse

from tests.testing import outcome_lines, programs

COLLECTOR = programs.path('collector/tine-collector')
DEMO = programs.path('tools/tine-demo')
LOAD_TIME_S = 3
LEAST_SCRAPES = 500

SAMPLE = re.compile(r'^([a-zA-Z_:][\w:]*(?:\{.*\})?) (\S+)$')
# What only grows: counters, and the parts of histograms.
GROWING = re.compile(r'^\w+(_total|_bucket|_count)(\{|$)')


def samples_in(text):
    """Exposition or ledger text -> {series: value}."""
    samples = {}
    for line in text.splitlines():
        match = SAMPLE.match(line)
        if match:
            samples[match.group(1)] = float(match.group(2))
    return samples


def requests_in(samples, name='http_requests_total'):
    """{labels: value} of the family, its labels in the order of their names."""
    return {','.join(sorted(series[len(name) + 1:-1].split(','))): value
            for series, value in samples.items()
            if series.startswith(name + '{')}


def start_collector(case, directory, address=None):
    """A collector's process and address, once it is ready."""
    address = address or '127.0.0.1:%d' % programs.free_port()
    log = tempfile.TemporaryFile()
    case.addCleanup(log.close)
    process = programs.start(case, COLLECTOR, '--dir=' + directory,
                             '--web.listen-address=' + address,
                             stdout=log, stderr=log)

    def is_ready():
        if process.poll() is not None:
            log.seek(0)
            raise AssertionError('the collector ended: %s' % log.read())
        try:
            return programs.get('http://%s/-/ready' % address)
        except OSError:
            return None

    programs.wait_until(is_ready, 'the collector is ready')
    return process, address


class Demo:
    """A running tine-demo."""

    def __init__(self, case, directory, *flags):
        self.process = programs.start(
            case, DEMO, '--dir=' + directory, '--listen-address=127.0.0.1:0',
            *flags, stdout=subprocess.PIPE)
        line = self.process.stdout.readline()
        self.url = 'http://' + re.match(r'listening on (\S+)$', line).group(1)

    def ledger(self):
        return samples_in(programs.get(self.url + '/ledger'))

    def workers(self):
        pid = self.process.pid
        with open('/proc/%d/task/%d/children' % (pid, pid)) as file:
            return [int(word) for word in file.read().split()]

    def stop(self):
        """SIGTERM; the last ledger and the exit code."""
        self.process.send_signal(signal.SIGTERM)
        text, _ = self.process.communicate(timeout=programs.TIMEOUT_S)
        return samples_in(text), self.process.returncode


class Load:
    """Requests from many clients for a while."""

    def __init__(self, url, seconds=LOAD_TIME_S):
        self._end = time.monotonic() + seconds
        self._url = url
        self._wrk = None
        if shutil.which('wrk'):
            self._wrk = subprocess.Popen(
                ['wrk', '-t2', '-c16', '-d%ds' % seconds, url + '/hello'],
                stdout=subprocess.DEVNULL)
        else:
            print('wrk is missing: the load comes from Python alone')
        self._threads = [threading.Thread(target=self._request_all)
                         for _ in range(3)]
        for thread in self._threads:
            thread.start()

    def _request_all(self):
        paths = ['/', '/slow', '/hello', '/nothing/here']
        while time.monotonic() < self._end:
            for path in paths:
                try:
                    programs.get(self._url + path, timeout=10)
                except OSError:
                    pass  # 404, or a worker that was killed

    def is_running(self):
        return (self._wrk is not None and self._wrk.poll() is None or
                any(thread.is_alive() for thread in self._threads))

    def join(self):
        for thread in self._threads:
            thread.join()
        if self._wrk is not None:
            self._wrk.wait()


class Scraper:
    """Scrapes without a pause and writes down what fell or vanished."""

    def __init__(self, address):
        self.url = 'http://%s/metrics' % address
        self.count = 0
        self.violations = []
        self._last = {}

    def scrape(self):
        text = programs.get(self.url)
        growing = {series: value for series, value in samples_in(text).items()
                   if GROWING.match(series)}
        for series, value in self._last.items():
            if series not in growing:
                self.violations.append('%s vanished' % series)
            elif growing[series] < value:
                self.violations.append('%s fell from %s to %s' %
                                       (series, value, growing[series]))
        self._last = growing
        self.count += 1
        return text

    def forget_own(self):
        """A new collector begins with new counters about itself."""
        self._last = {series: value for series, value in self._last.items()
                      if not series.startswith(('tine_', 'process_'))}

    def scrape_while(self, is_running):
        while is_running() or self.count < LEAST_SCRAPES:
            self.scrape()


class DemoTest(unittest.TestCase):
    def setUp(self):
        self.directory = programs.metrics_directory(self)
        self.collector, self.address = start_collector(self, self.directory)
        self.scraper = Scraper(self.address)

    def start_demo(self, *flags):
        return Demo(self, self.directory, *flags)

    def wait_for_scrape(self, condition, what):
        programs.wait_until(
            lambda: condition(samples_in(self.scraper.scrape())), what)

    def assert_metrics_are(self, ledger):
        """Label set by label set, and nothing was cut short."""
        samples = samples_in(self.scraper.scrape())
        counted = requests_in(samples)
        self.assertEqual(sum(counted.values()), ledger['done'])
        self.assertEqual(counted, requests_in(ledger, 'done'))
        self.assertEqual(ledger['done'], ledger['attempted'])
        self.assertEqual(self.scraper.violations, [])
        return samples

    def wait_for_last_requests(self, demo):
        """What the load sent and did not wait for is still being served."""
        def are_done():
            counted = requests_in(samples_in(self.scraper.scrape()))
            ledger = demo.ledger()
            return (ledger['attempted'] == ledger['done'] ==
                    sum(counted.values()))
        programs.wait_until(are_done, 'the last requests')

    def test_no_counter_falls_and_none_is_lost_while_workers_come_and_go(self):
        demo = self.start_demo('--workers=4', '--recycle-after=2000')
        load = Load(demo.url)
        self.scraper.scrape_while(load.is_running)
        load.join()
        self.wait_for_last_requests(demo)
        samples = self.assert_metrics_are(demo.ledger())
        print('%d scrapes, %d requests, %d workers' % (
            self.scraper.count, demo.ledger()['done'],
            samples['demo_workers_started_total']))
        self.assertGreaterEqual(self.scraper.count, LEAST_SCRAPES)
        if shutil.which('wrk'):
            self.assertGreater(
                samples['demo_worker_exits_total{reason="recycled"}'], 0)
        # The last answers and the last worker's replacement take a moment.
        self.wait_for_scrape(
            lambda samples: samples['http_requests_in_flight'] == 0,
            'nothing is in flight')
        self.wait_for_scrape(
            lambda samples: 4 == sum(
                series.startswith('demo_worker_generation')
                for series in samples), 'four workers have a generation')

    def test_observations_are_as_many_as_requests(self):
        demo = self.start_demo('--recycle-after=50')
        load = Load(demo.url, seconds=1)
        self.scraper.scrape_while(load.is_running)
        load.join()
        done = demo.ledger()['done']
        # A request is observed once its answer has left, a moment later.
        self.wait_for_scrape(
            lambda samples: done == sum(
                value for series, value in samples.items()
                if series.startswith('http_request_seconds_count')),
            'all requests are observed')
        self.assertEqual(self.scraper.violations, [])

    def test_killed_workers_take_nothing_with_them(self):
        demo = self.start_demo('--workers=4')
        load = Load(demo.url)
        kills = 0
        while load.is_running() or self.scraper.count < LEAST_SCRAPES:
            self.scraper.scrape()
            if load.is_running() and self.scraper.count % 40 == 0:
                pid = programs.wait_until(demo.workers, 'a worker')[0]
                os.kill(pid, signal.SIGKILL)
                kills += 1
                programs.wait_until(lambda: pid not in demo.workers(),
                                    'the worker is gone')
        load.join()
        self.wait_for_scrape(
            lambda samples: kills ==
            samples['demo_worker_exits_total{reason="signal"}'],
            'all deaths are counted')
        ledger = demo.ledger()
        samples = samples_in(self.scraper.scrape())
        counted = requests_in(samples)
        for labels, attempted in requests_in(ledger, 'attempted').items():
            done = requests_in(ledger, 'done').get(labels, 0)
            self.assertLessEqual(done, counted.get(labels, 0), labels)
            self.assertLessEqual(counted.get(labels, 0), attempted, labels)
        self.assertEqual(self.scraper.violations, [])
        print('%d kills, %d requests done, %d attempted' %
              (kills, ledger['done'], ledger['attempted']))
        self.assertGreater(kills, 0)

    def test_stopping_under_load_counts_every_request_once(self):
        demo = self.start_demo('--workers=4', '--recycle-after=500')
        load = Load(demo.url)
        for _ in range(50):
            self.scraper.scrape()
        ledger, exit_code = demo.stop()
        self.assertEqual(exit_code, 0)
        self.assertGreater(ledger['done'], 0)
        self.assert_metrics_are(ledger)
        load.join()

    def test_killed_collectors_forget_nothing(self):
        demo = self.start_demo('--workers=4', '--recycle-after=300')
        load = Load(demo.url)
        for _ in range(4):
            for _ in range(20):
                self.scraper.scrape()
            self.collector.kill()
            self.collector.wait()
            self.collector, _ = start_collector(self, self.directory,
                                                self.address)
            self.scraper.forget_own()
        self.scraper.scrape_while(load.is_running)
        load.join()
        self.assert_metrics_are(demo.ledger())

    def test_promtool_accepts_the_exposition(self):
        if not shutil.which('promtool'):
            self.skipTest('promtool is missing (Debian package prometheus)')
        demo = self.start_demo()
        for path in ('/', '/hello', '/slow', '/ledger'):
            programs.get(demo.url + path)
        result = programs.run('promtool', 'check', 'metrics',
                              input=self.scraper.scrape())
        advice = (result.stdout + result.stderr).splitlines()
        # A reset of a counter is what is counted there.
        self.assertEqual([line for line in advice
                          if not line.startswith('tine_counter_resets_total ')],
                         [])
        # Its advice on names is 3; what it cannot read is 1.
        self.assertIn(result.returncode, (0, 3))


CONFIGURATION = '''
global:
  scrape_interval: 1s
scrape_configs:
  - job_name: tine
    honor_labels: true
    static_configs:
      - targets: ['%s']
'''


class PrometheusTest(unittest.TestCase):
    def setUp(self):
        if not shutil.which('prometheus'):
            self.skipTest('prometheus is missing (Debian package prometheus)')
        self.directory = programs.metrics_directory(self)
        self.work = tempfile.mkdtemp(prefix='test-tine-')
        self.addCleanup(shutil.rmtree, self.work, ignore_errors=True)

    def start_prometheus(self, target):
        path = os.path.join(self.work, 'prometheus.yml')
        with open(path, 'w') as file:
            file.write(CONFIGURATION % target)
        self.address = '127.0.0.1:%d' % programs.free_port()
        log = open(os.path.join(self.work, 'log'), 'wb')
        self.addCleanup(log.close)
        programs.start(
            self, 'prometheus', '--config.file=' + path,
            '--storage.tsdb.path=' + os.path.join(self.work, 'data'),
            '--web.listen-address=' + self.address, stdout=log, stderr=log)

    def query(self, expression):
        """The one value of the expression now, or None."""
        try:
            answer = json.loads(programs.get(
                'http://%s/api/v1/query?%s' % (
                    self.address, urllib.parse.urlencode({'query': expression}))))
        except OSError:
            return None
        result = answer['data']['result']
        return float(result[0]['value'][1]) if result else None

    def test_prometheus_knows_every_request(self):
        _, collector = start_collector(self, self.directory)
        demo = Demo(self, self.directory, '--workers=4', '--recycle-after=1000')
        self.start_prometheus(collector)
        load = Load(demo.url)
        load.join()
        # The load's last requests may still be answered: ask for both anew.
        programs.wait_until(
            lambda: self.query('sum(http_requests_total)') ==
            demo.ledger()['done'],
            'sum(http_requests_total) is what the ledger says')
        self.assertGreater(demo.ledger()['done'], 0)
        # No scrape in between saw a counter fall.
        self.assertEqual(
            self.query('sum(resets(http_requests_total[5m]))'), 0)
        self.assertEqual(self.query('up{job="tine"}'), 1)
        self.assertEqual(
            self.query('sum(http_request_seconds_bucket{le="+Inf"}) - '
                       'sum(http_request_seconds_count)'), 0)


if __name__ == '__main__':
    outcome_lines.main()
