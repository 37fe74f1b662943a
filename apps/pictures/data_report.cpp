// How a DataReport is written down.
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <iostream>
#include <nlohmann/json.hpp>
#include <ostream>
#include <set>

#include "apps/cli/csv.h"
#include "apps/drawing/html.h"
#include "apps/pictures/data_check.h"
#include "runtime/core/atomic_file.h"

namespace graft::app {
namespace {

using nlohmann::json;

constexpr int64_t kThumbnail = 128;
/// Findings of a kind that the text names; the JSON, the page and the list have all.
constexpr size_t kNamed = 20;

struct Kind {
  const char* name;
  const char* title;
};
/// In the order in which they are worth looking at.
constexpr Kind kKinds[] = {{"unreadable", "Cannot be read"},
                           {"two-classes", "The same picture in two classes"},
                           {"leak", "The same picture in two parts: what validates or tests has been trained on"},
                           {"label", "Labels that look wrong"},
                           {"duplicate", "Copies"},
                           {"near-duplicate", "Nearly the same"},
                           {"outlier", "Like no other picture"}};

std::vector<const Finding*> of_kind(const DataReport& report, const std::string& kind) {
  std::vector<const Finding*> found;
  for (const Finding& f : report.findings)
    if (f.kind == kind) found.push_back(&f);
  return found;
}

/// An <img> of the file, or nothing where it cannot be read.
std::string thumbnail(const std::string& path) {
  const auto small = small_picture(path, kThumbnail);
  return small ? html_picture(*small, std::filesystem::path(path).filename().string()) : std::string();
}

std::string sizes_text(const DataReport& r) {
  const auto size = [](const int64_t(&s)[2]) { return std::to_string(s[0]) + "×" + std::to_string(s[1]); };
  return "from " + size(r.smallest) + " to " + size(r.largest) + "; " + std::to_string(r.wide) + " wide, " +
         std::to_string(r.upright) + " upright, " + std::to_string(r.square) + " square";
}

}  // namespace

void print_report(const DataReport& r) {
  std::printf("%s\n", account_line(r.account).c_str());
  if (r.account.pictures > 0) std::printf("%s\n", sizes_text(r).c_str());
  std::printf("\n%-24s", "class");
  for (const auto& [part, counts] : r.counts) std::printf(" %8s", part.c_str());
  std::printf("\n");
  for (size_t c = 0; c < r.classes.size(); ++c) {
    std::printf("%-24s", r.classes[c].c_str());
    for (const auto& [part, counts] : r.counts) std::printf(" %8lld", static_cast<long long>(counts[c]));
    std::printf("\n");
  }
  for (const std::string& note : r.notes) std::printf("note: %s\n", note.c_str());
  for (const Kind& kind : kKinds) {
    const auto found = of_kind(r, kind.name);
    if (found.empty()) continue;
    std::printf("\n%s (%zu)\n", kind.title, found.size());
    for (size_t i = 0; i < std::min(found.size(), kNamed); ++i) {
      const Finding& f = *found[i];
      std::printf("  %s\n", f.kind == "unreadable" ? f.text.c_str() : (f.path + " " + f.text).c_str());
    }
    if (found.size() > kNamed)
      std::printf("  … and %zu more: --fix-list, --html and --json name all\n", found.size() - kNamed);
  }
  if (r.findings.empty()) std::printf("\nnothing found that needs to be looked at\n");
}

json report_json(const DataReport& r) {
  json findings = json::array(), counts = json::object();
  for (const Finding& f : r.findings) {
    json entry{{"kind", f.kind}, {"path", f.path}, {"text", f.text}};
    if (!f.other.empty()) entry["other"] = f.other;
    if (!f.part.empty()) entry["split"] = f.part;
    if (!f.label.empty()) entry["class"] = f.label;
    if (!f.suggested.empty()) entry["suggested"] = f.suggested;
    if (f.score > 0) entry["score"] = f.score;
    findings.push_back(entry);
  }
  for (const auto& [part, of_part] : r.counts)
    for (size_t c = 0; c < of_part.size(); ++c) counts[part][r.classes[c]] = of_part[c];
  return {{"pictures", r.account.pictures},
          {"unreadable", r.account.unreadable},
          {"not_pictures", r.account.ignored},
          {"classes", r.classes},
          {"counts", counts},
          {"smallest", r.smallest},
          {"largest", r.largest},
          {"wide", r.wide},
          {"upright", r.upright},
          {"square", r.square},
          {"notes", r.notes},
          {"findings", findings}};
}

void write_report_page(const DataReport& r, const std::string& title, const std::string& path) {
  write_atomically(path, [&](std::ostream& out) {
    out << "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" "
           "content=\"width=device-width\"><title>"
        << html_escaped(title)
        << "</title><style>:root{color-scheme:light dark}body{font:15px/1.4 system-ui,sans-serif;max-width:70rem;"
        << "margin:2rem auto;padding:0 1rem}table{border-collapse:collapse}td,th{padding:.2rem .6rem;text-align:right}"
        << "td:first-child,th:first-child{text-align:left}ul{list-style:none;padding:0;display:grid;gap:.8rem;"
        << "grid-template-columns:repeat(auto-fill,minmax(20rem,1fr))}li{display:flex;gap:.6rem;overflow-wrap:anywhere}"
        << "img{max-width:128px;max-height:128px;flex:none}</style><h1>" << html_escaped(title) << "</h1><p>"
        << html_escaped(account_line(r.account)) << "</p>";
    if (r.account.pictures > 0) out << "<p>" << html_escaped(sizes_text(r)) << "</p>";
    out << "<table><tr><th>class</th>";
    for (const auto& [part, counts] : r.counts) out << "<th>" << part << "</th>";
    out << "</tr>";
    for (size_t c = 0; c < r.classes.size(); ++c) {
      out << "<tr><td>" << html_escaped(r.classes[c]) << "</td>";
      for (const auto& [part, counts] : r.counts) out << "<td>" << counts[c] << "</td>";
      out << "</tr>";
    }
    out << "</table>";
    for (const std::string& note : r.notes) out << "<p>" << html_escaped(note) << "</p>";
    for (const Kind& kind : kKinds) {
      const auto found = of_kind(r, kind.name);
      if (found.empty()) continue;
      out << "<h2>" << html_escaped(kind.title) << " (" << found.size() << ")</h2><ul>";
      for (const Finding* f : found) {
        out << "<li>" << (f->kind == "unreadable" ? "" : thumbnail(f->path));
        if (!f->other.empty()) out << thumbnail(f->other);
        out << "<span>" << html_escaped(f->kind == "unreadable" ? f->text : f->path + " " + f->text) << "</span></li>";
      }
      out << "</ul>";
    }
    if (r.findings.empty()) out << "<p>Nothing found that needs to be looked at.</p>";
    out << "</html>\n";
  });
}

void write_fix_list(const DataReport& r, const std::string& path) {
  write_atomically(path, [&](std::ostream& out) {
    out << "path,kind,class,suggested,other,text\n";
    for (const Kind& kind : kKinds)
      for (const Finding* f : of_kind(r, kind.name))
        out << csv_field(f->path) << ',' << f->kind << ',' << csv_field(f->label) << ',' << csv_field(f->suggested)
            << ',' << csv_field(f->other) << ',' << csv_field(f->text) << '\n';
  });
}

}  // namespace graft::app
