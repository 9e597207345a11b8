#ifndef TINE_TOOLS_WRITER_TABLE_H_
#define TINE_TOOLS_WRITER_TABLE_H_

#include <ostream>
#include <string>
#include <vector>

namespace tine::tools {

// The metric files in a directory, by pid and name. False: `error` says why it
// cannot be read.
bool ListMetricFiles(int directory_fd, std::vector<std::string>* names,
                     std::string* error);

// One line for each of the files: pid, state, series, bytes, labels, file. A
// file that is gone meanwhile has no line. A damaged one says so behind its
// labels.
void PrintWriterTable(int directory_fd, const std::vector<std::string>& names,
                      std::ostream& out);

}  // namespace tine::tools

#endif  // TINE_TOOLS_WRITER_TABLE_H_
