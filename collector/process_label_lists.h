// Lists of process labels, each kept once and known by a number.

#ifndef TINE_COLLECTOR_PROCESS_LABEL_LISTS_H_
#define TINE_COLLECTOR_PROCESS_LABEL_LISTS_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "common/record_codec.h"

namespace tine::collector {

// A value. Number 0 is the empty list.
class ProcessLabelLists {
 public:
  // `list`: name, value, name, value, ...
  uint32_t NumberOf(const StringListView& list) {
    if (list.size() == 0) {
      return 0;
    }
    std::string packed(reinterpret_cast<const char*>(list.bytes()),
                       list.size_bytes());
    const auto known = numbers_.find(packed);
    if (known != numbers_.end()) {
      return known->second;
    }
    uint32_t number = static_cast<uint32_t>(lists_.size()) + 1;
    if (free_.empty()) {
      lists_.emplace_back();
    } else {
      number = free_.back();
      free_.pop_back();
    }
    lists_[number - 1] = {packed, list.size()};
    numbers_.emplace(std::move(packed), number);
    return number;
  }

  // Valid until the next call of NumberOf.
  StringListView list(uint32_t number) const {
    if (number == 0) {
      return StringListView();
    }
    const List& list = lists_[number - 1];
    return StringListView(reinterpret_cast<const uint8_t*>(list.packed.data()),
                          list.packed.size(), list.string_count);
  }

  bool empty() const { return numbers_.empty(); }

  // Lets go of the others: their numbers may be given out again.
  void Keep(const absl::flat_hash_set<uint32_t>& used) {
    for (auto it = numbers_.begin(); it != numbers_.end();) {
      const auto current = it++;
      const uint32_t number = current->second;
      if (!used.contains(number)) {
        lists_[number - 1] = List();
        free_.push_back(number);
        numbers_.erase(current);
      }
    }
  }

 private:
  struct List {
    std::string packed;
    size_t string_count = 0;
  };
  std::vector<List> lists_;  // by number, less one
  std::vector<uint32_t> free_;
  absl::flat_hash_map<std::string, uint32_t> numbers_;  // by packed list
};

}  // namespace tine::collector

#endif  // TINE_COLLECTOR_PROCESS_LABEL_LISTS_H_
