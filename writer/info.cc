#include "writer/info.h"

#include "common/metric_names.h"
#include "common/record_codec.h"
#include "writer/cell_ops.h"
#include "writer/registry.h"
#include "writer/shared_cell.h"

namespace tine {
namespace {

// (More than a family may have, so that registration says what is wrong.)
constexpr size_t kMaxNames = kMaxLabelCount + 1;

}  // namespace

bool internal::TellOnly(const Series* series) noexcept {
  // (StatusOf() makes text, for which there may be no memory.)
  const bool has_own_place =
      series->address.chunk != kNoChunk &&
      !series->is_removed.load(std::memory_order_acquire) &&
      series != series->family->overflow.load(std::memory_order_acquire);
  return has_own_place && ClearFamily(series->family, series) &&
         ChangeSharedCell(series->address, SetTimes(), [](Cell* cell) {
           StoreCell(cell, EncodeGaugeCell(1));
         });
}

Info::Info(std::string_view name, std::string_view help,
           std::initializer_list<LabelPair> labels) noexcept {
  std::string_view names[kMaxNames];
  size_t count = 0;
  for (const LabelPair& label : labels) {
    if (count < kMaxNames) {
      names[count++] = label.name;
    }
  }
  family_ = internal::RegisterFamily(
      internal::Definition(name, help, StringSpan(names, count),
                           MetricOptions())
          .OfType(format::MetricType::kInfo, format::ValueKind::kF64,
                  GaugeMode::kLiveMax));
  Set(labels);
}

bool Info::Set(std::initializer_list<LabelPair> labels) const noexcept {
  if (family_ == nullptr || family_->error_code != ErrorCode::kOk) {
    return false;
  }
  // Unset, so that it is not served yet.
  const internal::Series* series =
      internal::FindOrAddSeriesByName(family_, labels.begin(), labels.size());
  return series != nullptr && internal::TellOnly(series);
}

Status Info::status() const {
  return family_ == nullptr ? Status() : internal::StatusOf(family_);
}

}  // namespace tine
