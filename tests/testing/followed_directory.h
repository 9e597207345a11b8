// The collector's own eyes on a metrics directory, opened anew or kept open
// from one look to the next, but without watches and clocks: so a look costs
// microseconds.

#ifndef TINE_TESTS_TESTING_FOLLOWED_DIRECTORY_H_
#define TINE_TESTS_TESTING_FOLLOWED_DIRECTORY_H_

#include <fcntl.h>

#include <string>
#include <utility>

#include "collector/file_set.h"
#include "collector/liveness.h"
#include "collector/merged_view.h"
#include "common/unique_fd.h"
#include "tests/testing/served_numbers.h"

namespace tine::testing {

class FollowedDirectory {
 public:
  struct Answer {
    ServedNumbers numbers;
    collector::FileSetStatistics statistics;

    size_t FilesIn(collector::FileState state) const {
      return statistics.files_by_state[static_cast<size_t>(state)];
    }
  };

  explicit FollowedDirectory(const std::string& path)
      : directory_fd_(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)),
        view_(collector::MergedView::Limits()),
        files_(OptionsForThisHost(), &view_, &archive_) {
    files_.SetDirectory(directory_fd_.get());
  }

  // In the order of a scrape: names, locks, records and numbers.
  Answer Read() {
    files_.Rescan();
    files_.ProbeAll();
    files_.OpenPending(SIZE_MAX);
    files_.AddAll();
    Answer answer;
    answer.numbers = NumbersOf(view_.Finish());
    answer.statistics = files_.statistics();
    return answer;
  }

 private:
  static collector::FileSet::Options OptionsForThisHost() {
    static const auto host = collector::HostIdentity::OfThisProcess();
    collector::FileSet::Options options;
    options.host = host;
    return options;
  }

  const UniqueFd directory_fd_;
  collector::MergedView view_;
  const collector::Archive archive_;  // nothing has been folded
  collector::FileSet files_;
};

}  // namespace tine::testing

#endif  // TINE_TESTS_TESTING_FOLLOWED_DIRECTORY_H_
