"""tine-collector as its scrapers and its operators' browsers see it."""

import os
import signal
import socket
import threading
import time
import unittest

from tests.integration import collector_process
from tests.integration.collector_process import CollectorProcess
from tests.testing import outcome_lines
from tests.testing import programs


class PagesTest(unittest.TestCase):
    def setUp(self):
        self.directory = programs.metrics_directory(self)
        collector_process.place_golden(self.directory, 'counter_u64.tine')
        self.collector = CollectorProcess(self, '--dir=' + self.directory)
        self.collector.scrape()

    def test_metrics_are_text_0_0_4(self):
        status, headers, body = self.collector.request('/metrics')
        self.assertEqual(status, 200)
        self.assertEqual(headers['Content-Type'],
                         'text/plain; version=0.0.4; charset=utf-8')
        self.assertEqual(int(headers['Content-Length']), len(body.encode()))
        self.assertIn('# HELP requests_total Requests.\n'
                      '# TYPE requests_total counter\n'
                      'requests_total{method="GET"} 42\n', body)

    def test_own_metrics_are_among_them(self):
        body = self.collector.scrape()
        for line in ('tine_build_info{', 'tine_series ', 'tine_polling 0\n',
                     'tine_directory_present 1\n', 'process_open_fds ',
                     'tine_scrape_duration_seconds '):
            self.assertIn('\n' + line, body)
        types = [line for line in body.splitlines()
                 if line.startswith('# TYPE ')]
        self.assertEqual(types, sorted(set(types)))

    def test_head_has_length_and_no_body(self):
        status, headers, body = self.collector.request('/metrics', 'HEAD')
        self.assertEqual((status, body), (200, ''))
        self.assertGreater(int(headers['Content-Length']), 1000)

    def test_landing_page_links_to_the_metrics(self):
        status, headers, body = self.collector.request('/')
        self.assertEqual(status, 200)
        self.assertEqual(headers['Content-Type'], 'text/html; charset=utf-8')
        self.assertIn('href="/metrics"', body)
        self.assertIn('0.1.0', body)

    def test_healthy_and_ready(self):
        self.assertEqual(self.collector.request('/-/healthy')[0], 200)
        self.assertEqual(self.collector.request('/-/ready')[0], 200)

    def test_unknown_path_is_not_found(self):
        for path in ('/metricsfoo', '/metrics/', '/nothing', '/-/', '//'):
            self.assertEqual(self.collector.request(path)[0], 404, path)

    def test_other_method_is_not_allowed(self):
        for method in ('POST', 'PUT', 'DELETE'):
            status, headers, _ = self.collector.request('/metrics', method)
            self.assertEqual(status, 405)
            self.assertEqual(headers['Allow'], 'GET, HEAD')

    def test_concurrent_scrapers_all_get_everything(self):
        bodies = []

        def scrape():
            for _ in range(20):
                bodies.append(self.collector.request('/metrics'))

        threads = [threading.Thread(target=scrape) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(len(bodies), 160)
        for status, _, body in bodies:
            self.assertEqual(status, 200)
            self.assertIn('\nrequests_total{method="GET"} 42\n', body)
            self.assertTrue(body.endswith('\n'))

    def test_client_that_goes_away_harms_nobody(self):
        for _ in range(20):
            with socket.create_connection(
                    ('127.0.0.1', self.collector.ports[0])) as client:
                client.sendall(b'GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n')
        self.assertIn('requests_total', self.collector.scrape())


class FilterTest(unittest.TestCase):
    def test_include_and_exclude_choose_families(self):
        directory = programs.metrics_directory(self)
        for name in ('counter_u64.tine', 'summary.tine', 'histogram.tine'):
            collector_process.place_golden(directory, name)
        collector = CollectorProcess(
            self, '--dir=' + directory, '--series.include=.*_(total|bytes)',
            '--series.include=latency.*', '--series.exclude=latency_seconds',
            '--series.exclude=(tine|process)_.*')
        families = [line.split()[2] for line in collector.scrape().splitlines()
                    if line.startswith('# TYPE')]
        self.assertEqual(families, ['requests_total', 'size_bytes'])


class AddressesTest(unittest.TestCase):
    def setUp(self):
        self.directory = programs.metrics_directory(self)

    def test_several_addresses_serve_the_same(self):
        collector = CollectorProcess(self, '--dir=' + self.directory,
                                     addresses=('127.0.0.1:0', '127.0.0.1:0'))
        self.assertEqual(len(set(collector.ports)), 2)
        for port in collector.ports:
            status, _, _ = collector.request('/-/healthy', port=port)
            self.assertEqual(status, 200)

    def test_ipv6(self):
        if not collector_process.has_ipv6():
            self.skipTest('this machine has no IPv6')
        collector = CollectorProcess(self, '--dir=' + self.directory,
                                     addresses=('[::1]:0', ':0'))
        for port in collector.ports:
            status, _, _ = collector.request('/-/healthy', host='::1',
                                             port=port)
            self.assertEqual(status, 200)
        # Without a host it is both families.
        self.assertEqual(collector.request(
            '/-/healthy', port=collector.ports[1])[0], 200)

    def test_telemetry_path(self):
        collector = CollectorProcess(self, '--dir=' + self.directory,
                                     '--web.telemetry-path=/own/path')
        self.assertEqual(collector.request('/metrics')[0], 404)
        self.assertIn(collector.request('/own/path')[0], (200, 503))
        self.assertIn('href="/own/path"', collector.request('/')[2])


class DirectoryTest(unittest.TestCase):
    def test_empty_directory_serves_own_metrics(self):
        collector = CollectorProcess(
            self, '--dir=' + programs.metrics_directory(self))
        self.assertIn('\ntine_series 0\n', collector.scrape())

    def test_dirty_directory_is_served_and_counted(self):
        directory = programs.metrics_directory(self)
        good = collector_process.place_golden(directory, 'counter_u64.tine')
        with open(good, 'rb') as file:
            data = bytearray(file.read())
        data[32:48] = os.urandom(16)
        collector_process.place(directory, bytes(data), pid=2)  # bad checksum
        collector_process.place(directory, b'\0' * 100 + b'x' * 50000, pid=3)
        collector_process.place(directory, b'', pid=4)
        os.mkfifo(os.path.join(directory, '5.%032x.tine' % 5))
        os.mkdir(os.path.join(directory, '6.%032x.tine' % 6))
        os.symlink('/etc/passwd', os.path.join(directory, '7.%032x.tine' % 7))
        with open(os.path.join(directory, 'README\n'), 'w') as file:
            file.write('not a metric file')
        collector = CollectorProcess(self, '--dir=' + directory)
        body = collector.scrape()
        self.assertIn('\nrequests_total{method="GET"} 42\n', body)
        self.assertRegex(body,
                         r'\ntine_damage_total\{reason="header_checksum"\} 1\n')
        self.assertRegex(body, r'\ntine_files\{state="quarantined"\} [1-9]')

    def test_missing_directory_is_waited_for(self):
        parent = programs.metrics_directory(self)
        directory = os.path.join(parent, 'later')
        collector = CollectorProcess(self, '--dir=' + directory)
        collector.wait_for_log('waiting for the metrics directory')
        self.assertIn('\ntine_directory_present 0\n', collector.scrape())
        os.mkdir(directory, 0o700)
        collector_process.place_golden(directory, 'counter_u64.tine')
        body = collector.scrape()
        self.assertIn('\nrequests_total{method="GET"} 42\n', body)
        self.assertIn('\ntine_directory_present 1\n', body)

    def test_file_that_is_published_is_in_the_next_scrape(self):
        directory = programs.metrics_directory(self)
        collector = CollectorProcess(self, '--dir=' + directory)
        self.assertNotIn('requests_total', collector.scrape())
        collector_process.place_golden(directory, 'counter_u64.tine')
        self.assertIn('\nrequests_total{method="GET"} 42\n',
                      collector.scrape())

    def test_users_family_with_one_of_our_names_is_hidden_and_counted(self):
        directory = programs.metrics_directory(self)
        collector_process.place(
            directory, collector_process.counter_file(0x77, 'tine_series', 4711))
        body = CollectorProcess(self, '--dir=' + directory).scrape()
        self.assertEqual(body.count('# TYPE tine_series '), 1)
        self.assertNotIn('4711', body)
        self.assertIn('\ntine_family_conflicts{family="tine_series",'
                      'reason="reserved_name"} 1\n', body)


class StopTest(unittest.TestCase):
    def setUp(self):
        self.collector = CollectorProcess(
            self, '--dir=' + programs.metrics_directory(self))

    def test_sigterm_is_success(self):
        self.assertEqual(self.collector.stop(signal.SIGTERM), 0)
        self.assertIn('msg=stopping signal=TERM', self.collector.log())

    def test_control_c_is_success(self):
        self.assertEqual(self.collector.stop(signal.SIGINT), 0)

    def test_idle_connection_does_not_hold_it_up(self):
        with socket.create_connection(
                ('127.0.0.1', self.collector.ports[0])) as idle:
            self.collector.request('/-/healthy')
            self.assertEqual(self.collector.stop(), 0)
            idle.settimeout(collector_process.DEADLINE_SECONDS)
            self.assertEqual(idle.recv(1), b'')

    def test_soft_file_limit_is_the_hard_one(self):
        with open('/proc/%d/limits' % self.collector.pid) as limits:
            line = next(line for line in limits if 'open files' in line)
        soft, hard = line.split()[3:5]
        self.assertEqual(soft, hard)

    def test_under_scrapes_nothing_breaks_off(self):
        statuses = []
        done = threading.Event()

        def scrape():
            while not done.is_set():
                try:
                    statuses.append(self.collector.request('/metrics')[0])
                except ConnectionRefusedError:
                    return
                except OSError:
                    pass  # the connection was closed before its request
                time.sleep(0.001)

        thread = threading.Thread(target=scrape)
        thread.start()
        while len(statuses) < 10:
            time.sleep(0.01)
        code = self.collector.stop()
        done.set()
        thread.join()
        self.assertEqual(code, 0)
        self.assertLessEqual(set(statuses), {200, 503})


if __name__ == '__main__':
    outcome_lines.main()
