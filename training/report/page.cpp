/// HTML head and foot of the page.

#include "training/report/page.h"
#include "training/report/script.h"
#include "training/report/style.h"
#include "training/report/text.h"

namespace minception::report {

std::string page(const std::string& title, const std::string& body) {
  // The content security policy blocks every external request.
  return R"(<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'; base-uri 'none'; form-action 'none'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="generator" content="Minception">
<title>)" +
         escaped(title) + "</title>\n<style>" + kStyle + "</style>\n</head>\n<body>\n" + body + "<script>" + kScript +
         "</script>\n</body>\n</html>\n";
}

}  // namespace minception::report
