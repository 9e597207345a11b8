#ifndef TINE_TESTS_COMMON_ENCODED_RECORD_H_
#define TINE_TESTS_COMMON_ENCODED_RECORD_H_

#include <cstdint>
#include <string>
#include <vector>

#include "common/record_codec.h"

namespace tine::testing {

// Strings as a family or a series holds them.
class StringList {
 public:
  explicit StringList(const std::vector<std::string>& strings)
      : bytes_(2 + 65537 * strings.size()), count_(strings.size()) {
    uint8_t* at = bytes_.data();
    for (const std::string& text : strings) {
      at = AppendString(at, text);
    }
    bytes_.resize(static_cast<size_t>(at - bytes_.data()));
  }
  StringListView view() const {
    return StringListView(bytes_.data(), bytes_.size(), count_);
  }

 private:
  std::vector<uint8_t> bytes_;
  size_t count_;
};

inline FamilyView SomeFamily() {
  FamilyView family;
  family.type = format::MetricType::kCounter;
  family.value_kind = format::ValueKind::kU64;
  family.name = "requests_total";
  family.help = "Requests.";
  return family;
}

inline std::vector<uint8_t> Encode(const FamilyView& family) {
  std::vector<uint8_t> bytes(EncodedFamilyBytes(family));
  EncodeFamily(family, bytes.data());
  return bytes;
}

inline std::vector<uint8_t> Encode(const SeriesView& series) {
  std::vector<uint8_t> bytes(EncodedSeriesBytes(series));
  EncodeSeries(series, bytes.data());
  return bytes;
}

}  // namespace tine::testing

#endif  // TINE_TESTS_COMMON_ENCODED_RECORD_H_
