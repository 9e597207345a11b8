#include "tools/audit.h"

#include <algorithm>
#include <cstddef>
#include <utility>

#include "common/metric_names.h"
#include "tools/printable.h"
#include "tools/series_text.h"

namespace tine::tools {
namespace {

using format::GaugeMode;
using format::MetricType;

// Writers go on counting: what changes is looked at again, so many times.
constexpr int kMaxAttempts = 10;

using Shares = std::vector<const AuditShare*>;

// All that was seen at one time.
struct Sight {
  AuditSources before;
  ServedSnapshot served;
  AuditSources after;

  bool IsOneGeneration() const {
    return before.generation == served.generation &&
           before.generation == after.generation &&
           before.lineage == after.lineage;
  }
  bool IsStill() const {
    return before.shares == after.shares && before.files == after.files;
  }
};

bool Look(const AuditOptions& options,
          const std::function<ServedSnapshot()>& serve, Sight* sight,
          std::string* error) {
  for (int i = 0; i < kMaxAttempts; ++i) {
    if (!ReadAuditSources(options.directory_fd, options.state_directory_fd,
                          &sight->before, error)) {
      return false;
    }
    sight->served = serve();
    if (!ReadAuditSources(options.directory_fd, options.state_directory_fd,
                          &sight->after, error)) {
      return false;
    }
    if (sight->IsOneGeneration() && sight->IsStill()) {
      return true;
    }
  }
  if (!sight->IsOneGeneration()) {
    *error = "the archive was replaced during each of " +
             std::to_string(kMaxAttempts) + " attempts: try again";
    return false;
  }
  return true;
}

// Which of several types and modes of one family is the served one.
using Variant = std::pair<MetricType, GaugeMode>;
Variant VariantOf(const AuditShare& share) { return {share.type, share.mode}; }

class Auditor {
 public:
  Auditor(const AuditOptions& options, const Sight& sight, std::ostream* out)
      : options_(options), sight_(sight), out_(*out) {}

  bool Run() {
    for (const std::string& note : sight_.before.notes) {
      out_ << "note: " << Printable(note) << '\n';
    }
    for (const std::string& name : sight_.before.folded) {
      out_ << "note: " << Printable(name)
           << " is in the archive already, and not yet removed\n";
    }
    CheckFiles();
    ChooseVariants();
    for (const AuditKey& key : Keys()) {
      AuditSeries(key);
    }
    PrintVerdict();
    return difference_count_ == 0;
  }

 private:
  // Every file is in the sum, or there is a reason.
  void CheckFiles() {
    for (const std::string& name : sight_.before.files) {
      const auto it = sight_.served.quarantined.find(name);
      if (it != sight_.served.quarantined.end()) {
        out_ << "note: " << Printable(name)
             << " is quarantined and counts for nothing: " << it->second
             << '\n';
      } else if (sight_.served.counted.count(name) == 0 &&
                 sight_.after.files.count(name) != 0) {
        out_ << "DIFFERS: " << Printable(name) << " is not in the sum\n";
        ++difference_count_;
      }
    }
  }

  Shares SharesOf(const AuditSources& sources, const AuditKey& key) const {
    Shares shares;
    const auto it = sources.shares.find(key);
    if (it != sources.shares.end()) {
      for (const AuditShare& share : it->second) {
        if (sight_.served.quarantined.count(share.source) == 0) {
          shares.push_back(&share);
        }
      }
    }
    return shares;
  }

  // Those that count, of a family about which writers do not agree.
  Shares Matching(Shares shares, const Variant& variant) const {
    shares.erase(std::remove_if(shares.begin(), shares.end(),
                                [&](const AuditShare* share) {
                                  return VariantOf(*share) != variant;
                                }),
                 shares.end());
    return shares;
  }

  const std::vector<double>& BoundsOf(const std::string& family) const {
    static const std::vector<double> kNone;
    const auto it = sight_.served.families.find(family);
    return it == sight_.served.families.end() ? kNone : it->second.bounds;
  }

  AuditValue Expected(const AuditSources& sources, const AuditKey& key,
                      const Variant& variant) const {
    int ignored;
    return MergeShares(Matching(SharesOf(sources, key), variant),
                       BoundsOf(key.family), &ignored);
  }

  AuditValue Served(const AuditKey& key) const {
    const auto it = sight_.served.series.find(key);
    return it == sight_.served.series.end() ? AuditValue() : it->second;
  }

  // The merge shows one of them; whichever it is, all series are to be right
  // for it. So the one that fits best is taken.
  void ChooseVariants() {
    std::map<std::string, std::map<Variant, size_t>> misfits;
    for (const auto& [key, shares] : sight_.before.shares) {
      const auto family = sight_.served.families.find(key.family);
      for (const AuditShare* share : SharesOf(sight_.before, key)) {
        const bool is_possible = family == sight_.served.families.end() ||
                                 family->second.type == share->type;
        misfits[key.family][VariantOf(*share)] +=
            is_possible &&
                    IsSameValue(Expected(sight_.before, key, VariantOf(*share)),
                                Served(key))
                ? 0
                : 1;
      }
    }
    for (const auto& [family, counts] : misfits) {
      variants_[family] = std::min_element(counts.begin(), counts.end(),
                                           [](const auto& a, const auto& b) {
                                             return a.second < b.second;
                                           })
                              ->first;
    }
  }

  std::set<AuditKey> Keys() const {
    std::set<AuditKey> keys;
    for (const auto& [key, shares] : sight_.before.shares) {
      keys.insert(key);
    }
    for (const auto& [key, value] : sight_.served.series) {
      keys.insert(key);
    }
    if (options_.selector.has_value()) {
      for (auto it = keys.begin(); it != keys.end();) {
        const SeriesSelector::Labels labels(it->labels.begin(),
                                            it->labels.end());
        it = options_.selector->Matches(it->family, labels) ? std::next(it)
                                                            : keys.erase(it);
      }
    }
    return keys;
  }

  void AuditSeries(const AuditKey& key) {
    const auto chosen = variants_.find(key.family);
    const Variant variant =
        chosen == variants_.end() ? Variant() : chosen->second;
    const AuditValue served = Served(key);
    const AuditValue expected = Expected(sight_.before, key, variant);
    PrintShares(key, variant);
    // A family whose samples have another's names is left out as a whole.
    const bool is_left_out = sight_.served.families.count(key.family) == 0 &&
                             sight_.served.conflicts.count(key.family) != 0;
    out_ << "  = " << ValueText(variant.first, served, BoundsOf(key.family))
         << "  ";
    if (is_left_out) {
      out_ << "not served: in conflict with another family\n";
    } else if (IsUnchanged(key) && !IsCreatedRight(key, variant)) {
      out_ << "DIFFERS: the files have it since "
           << TimeText(EarliestOf(key, variant)) << '\n';
      ++difference_count_;
    } else if (IsSameValue(served, expected) && IsUnchanged(key)) {
      out_ << "exact" << SinceText(key) << '\n';
      exact_count_ += served.is_present ? 1 : 0;
    } else if (!IsUnchanged(key) && IsBetween(key, variant, served)) {
      out_ << "changing\n";
      ++changing_count_;
    } else {
      out_ << "DIFFERS: the files come to "
           << ValueText(variant.first, expected, BoundsOf(key.family)) << '\n';
      ++difference_count_;
    }
  }

  std::string SinceText(const AuditKey& key) const {
    const auto created = sight_.served.created_wall_ns.find(key);
    return created == sight_.served.created_wall_ns.end()
               ? ""
               : ", since " + TimeText(created->second);
  }

  // Since when the series counts, by the files.
  uint64_t EarliestOf(const AuditKey& key, const Variant& variant) const {
    uint64_t earliest = UINT64_MAX;
    for (const AuditShare* share :
         Matching(SharesOf(sight_.before, key), variant)) {
      earliest = std::min(earliest, share->created_wall_ns);
    }
    return earliest;
  }

  // Of what only grows: for a gauge it means nothing.
  bool IsCreatedRight(const AuditKey& key, const Variant& variant) const {
    const auto created = sight_.served.created_wall_ns.find(key);
    return created == sight_.served.created_wall_ns.end() ||
           variant.second != GaugeMode::kNone ||
           created->second == EarliestOf(key, variant);
  }

  bool IsUnchanged(const AuditKey& key) const {
    const Shares before = SharesOf(sight_.before, key);
    const Shares after = SharesOf(sight_.after, key);
    return std::equal(
        before.begin(), before.end(), after.begin(), after.end(),
        [](const AuditShare* a, const AuditShare* b) { return *a == *b; });
  }

  // What can only rise is between what it was and what it is.
  bool IsBetween(const AuditKey& key, const Variant& variant,
                 const AuditValue& served) const {
    const AuditValue before = Expected(sight_.before, key, variant);
    const AuditValue after = Expected(sight_.after, key, variant);
    switch (variant.first) {
      case MetricType::kCounter:
        return before.value <= served.value && served.value <= after.value;
      case MetricType::kHistogram:
      case MetricType::kSummary:
        return IsNoMore(before, served) && IsNoMore(served, after);
      default:
        return true;
    }
  }

  void PrintShares(const AuditKey& key, const Variant& variant) {
    out_ << key.family;
    const char* separator = "{";
    for (const auto& [name, value] : key.labels) {
      out_ << separator << name << "=\"" << Printable(value) << '"';
      separator = ",";
    }
    out_ << (key.labels.empty() ? "" : "}") << "  "
         << InstrumentName(variant.first);
    if (variant.second != GaugeMode::kNone) {
      out_ << ' ' << GaugeModeName(variant.second);
    }
    out_ << '\n';
    const Shares shares = SharesOf(sight_.before, key);
    int chosen = -1;
    const Shares matching = Matching(shares, variant);
    MergeShares(matching, BoundsOf(key.family), &chosen);
    for (const AuditShare* share : shares) {
      const bool is_chosen =
          chosen >= 0 && matching[static_cast<size_t>(chosen)] == share;
      PrintShare(*share, variant, chosen < 0, is_chosen);
    }
  }

  void PrintShare(const AuditShare& share, const Variant& variant, bool adds,
                  bool is_chosen) {
    const bool counts = VariantOf(share) == variant && !IsIdle(share);
    out_ << (counts && (adds || is_chosen) ? "  + " : "    ") << share.text
         << "  " << Printable(share.source) << (share.state.empty() ? "" : ", ")
         << share.state;
    if (VariantOf(share) != variant) {
      out_ << ", not counted: another type or mode";
    } else if (IsIdle(share)) {
      out_ << ", not counted: "
           << (share.is_too_old ? "too old" : "a live mode");
    } else if (is_chosen) {
      out_ << ", chosen";
    }
    out_ << '\n';
  }

  void PrintVerdict() {
    out_ << "audit: " << exact_count_ + changing_count_ + difference_count_
         << " series, ";
    if (difference_count_ != 0) {
      out_ << difference_count_ << " differ\n";
    } else if (changing_count_ != 0) {
      out_ << exact_count_ << " exact, " << changing_count_
           << " changing while looked at\n";
    } else {
      out_ << "all exact\n";
    }
  }

  const AuditOptions& options_;
  const Sight& sight_;
  std::ostream& out_;
  std::map<std::string, Variant> variants_;  // the served one, by family
  size_t exact_count_ = 0;
  size_t changing_count_ = 0;
  size_t difference_count_ = 0;
};

}  // namespace

bool Audit(const AuditOptions& options,
           const std::function<ServedSnapshot()>& serve, std::ostream& out,
           std::string* error) {
  Sight sight;
  error->clear();
  return Look(options, serve, &sight, error) &&
         Auditor(options, sight, &out).Run();
}

}  // namespace tine::tools
