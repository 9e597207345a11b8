#ifndef TINE_TESTS_TESTING_ONE_SHOT_SCRAPE_H_
#define TINE_TESTS_TESTING_ONE_SHOT_SCRAPE_H_

#include <string>
#include <utility>

#include "collector/collect_loop.h"
#include "tests/testing/served_numbers.h"

namespace tine::testing {

struct ScrapeResult {
  ServedNumbers numbers;
  collector::CollectorStatistics statistics;
};

inline ScrapeResult Scrape(collector::Collector* collector) {
  ScrapeResult result;
  collector->WithScrape([&result](const collector::MergedFamilies& families,
                                  const auto& statistics) {
    result.numbers = NumbersOf(families);
    result.statistics = statistics;
  });
  return result;
}

// What a collector that starts now would serve.
inline ScrapeResult ScrapeOnce(const std::string& directory) {
  collector::CollectorOptions options;
  options.directory = directory;
  collector::Collector collector(std::move(options));
  return Scrape(&collector);
}

}  // namespace tine::testing

#endif  // TINE_TESTS_TESTING_ONE_SHOT_SCRAPE_H_
