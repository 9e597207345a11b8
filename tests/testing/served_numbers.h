#ifndef TINE_TESTS_TESTING_SERVED_NUMBERS_H_
#define TINE_TESTS_TESTING_SERVED_NUMBERS_H_

#include <map>
#include <string>

#include "collector/merged_family.h"

namespace tine::testing {

// What a scrape serves, flat and easy to compare: "name{label=value,...}" and a
// number. A histogram gives "name_sum{}" and "name_bucket{}[le]" (not
// cumulative), a summary "name_sum{}" and "name_count{}".
using ServedNumbers = std::map<std::string, double>;

ServedNumbers NumbersOf(const collector::MergedFamilies& families);

}  // namespace tine::testing

#endif  // TINE_TESTS_TESTING_SERVED_NUMBERS_H_
