/// Parts of the report: curve paths, smoothing, axes, number formatting.

#include "training/report/curve.h"
#include "training/report/plot.h"
#include "training/report/scale.h"
#include "training/report/text.h"

#include "tests/catch.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

using namespace minception;

TEST_CASE("a curve has gaps at values that are not finite and dots at isolated points") {
  const double nan = std::nan("");
  const std::vector<double> x = {0, 1, 2, 3, 4, 5}, y = {10, 20, nan, 30, nan, 40.25};
  CHECK(report::path(x, y, 1000.0, 500) == "M0 10L1 20M3 30h0M5 40.2h0");
  CHECK(report::path(x, std::vector<double>(6, nan), 1000.0, 500).empty());
  CHECK(report::path({}, {}, 1000.0, 500).empty());
  CHECK(report::dots(x, y) == "M0 10h0M1 20h0M3 30h0M5 40.2h0");
}

TEST_CASE("a thinned curve keeps its ends and every peak") {
  std::vector<double> x, y;
  for (int i = 0; i < 100'000; ++i) {
    x.push_back(i / 100.0);
    y.push_back(i == 54'321 ? -7.0 : i == 12'345 ? 99.0 : 50.0 + i % 3);
  }
  const std::string path = report::path(x, y, 1000.0, 500);
  CHECK(std::count(path.begin(), path.end(), 'L') < 2000);
  CHECK(path.find(" -7L") != std::string::npos);
  CHECK(path.find(" 99L") != std::string::npos);
  CHECK(path.starts_with("M0 50L"));
  CHECK(path.ends_with("L1000 50"));
}

TEST_CASE("smoothing keeps constants and gaps and does not lag") {
  const double nan = std::nan("");
  const std::vector<double> constant = report::smoothed(std::vector<double>{3.0, 3.0, nan, 3.0}, 2.0);
  CHECK(constant[0] == Approx(3.0));
  CHECK(constant[1] == Approx(3.0));
  CHECK(std::isnan(constant[2]));
  CHECK(constant[3] == Approx(3.0));
  std::vector<double> step(101, 0.0);
  for (std::size_t i = 51; i < step.size(); ++i) step[i] = 1.0;
  step[50] = 0.5;
  CHECK(report::smoothed(step, 5.0)[50] == Approx(0.5));
  CHECK(report::smoothed(std::vector<double>{1.0, 100.0}, 1e9, true)[0] == Approx(10.0));
}

TEST_CASE("axes have labels at round numbers") {
  const auto labels = [](const report::Scale& scale) {
    std::string text;
    for (const report::Tick& tick : scale.ticks) text += (text.empty() ? "" : " ") + tick.label;
    return text;
  };
  using report::Unit;
  CHECK(labels(report::linear_scale(0.0, 2.7, Unit::number, 6, true)) == "0 0.5 1.0 1.5 2.0 2.5 3.0");
  CHECK(labels(report::linear_scale(0.0, 10.0, Unit::number, 6, false)) == "0 2 4 6 8 10");
  CHECK(labels(report::linear_scale(0.0, 93'800.0, Unit::compact, 5, false)) == "0 20k 40k 60k 80k");
  CHECK(labels(report::linear_scale(0.85, 0.925, Unit::percent, 4, true)) ==
        "84\u00a0% 86\u00a0% 88\u00a0% 90\u00a0% 92\u00a0% 94\u00a0%");
  CHECK(labels(report::linear_scale(0.0, 2e-7, Unit::number, 2, true)) == "0 1·10⁻⁷ 2·10⁻⁷");
  CHECK(labels(report::linear_scale(5.0, 5.0, Unit::number, 5, true)) == "2 3 4 5 6 7 8");
  CHECK(labels(report::linear_scale(0.0, 0.0, Unit::number, 5, true)) == "0 0.2 0.4 0.6 0.8 1.0");
  CHECK(labels(report::logarithmic_scale(0.002, 3.0, 5)) == "0.003 0.01 0.03 0.1 0.3 1 3");
  CHECK(labels(report::logarithmic_scale(1e-12, 1e6, 5)) == "10⁻¹² 10⁻⁸ 10⁻⁴ 1 10⁴");
  CHECK(labels(report::logarithmic_scale(0.5, 6.0, 5)) == "0.5 1 2 5");
  const report::Scale scale = report::logarithmic_scale(0.01, 1.0, 5);
  CHECK(scale.position(0.1) == Approx(0.5));
  CHECK(std::isnan(scale.position(0.0)));
}

TEST_CASE("report numbers are formatted for readers") {
  using namespace report;
  CHECK(grouped(0) == "0");
  CHECK(grouped(999) == "999");
  CHECK(grouped(-1234567) == "-1,234,567");
  CHECK(compact(999.4) == "999");
  CHECK(compact(999.6) == "1k");
  CHECK(compact(12'345.0) == "12.3k");
  CHECK(compact(5'977'530.0) == "5.98M");
  CHECK(byte_size(1023.0) == "1023\u00a0B");
  CHECK(byte_size(1536.0) == "1.50\u00a0KiB");
  CHECK(duration(0.25) == "0.2 s");
  CHECK(duration(59.6) == "1 min 00 s");
  CHECK(duration(3'725.0) == "1 h 02 min");
  CHECK(duration(180'000.0) == "2 d 2 h");
  CHECK(decimal(-0.00001, 2) == "-1e-05");
  CHECK(decimal(1e300, 2) == "1e+300");
  CHECK(percent(std::nan("")) == "–");
  CHECK(escaped("\xe0\x80\xbc") == "\ufffd\ufffd\ufffd");  // overlong encoding of "<", which must be rejected
  CHECK(escaped("a\x01\xff<\xe2\x82\xac'\xed\xa0\x80") == "a\ufffd\ufffd&lt;€&#39;\ufffd\ufffd\ufffd");
}

TEST_CASE("a plot omits curves without values and is empty without any") {
  const double nan = std::nan("");
  const auto curve = [](std::string name, std::vector<double> y) {
    report::Curve made;
    made.name = std::move(name);
    made.colour = "c0";
    for (std::size_t i = 0; i < y.size(); ++i) made.steps.push_back(static_cast<double>(i + 1));
    made.y = std::move(y);
    return made;
  };
  report::Plot plot;
  plot.title = "Loss";
  plot.curves = {curve("a", {nan, nan}), curve("b", {})};
  CHECK(report::to_html(plot).empty());

  plot.curves.push_back(curve("c", {2.0, nan, 1.0}));
  const std::string html = report::to_html(plot);
  CHECK(html.find("<li class=\"c0\"><i></i>c <b>1</b></li></ul>") != std::string::npos);
  CHECK(html.find("<i></i>a") == std::string::npos);
  CHECK(html.find("\"steps\":[1,2,3],\"curves\":[{\"name\":\"c\",\"colour\":\"c0\",\"y\":[2,null,1]}]") !=
        std::string::npos);
  CHECK(html.find("Loss over steps 0 to 3. c: last 1, lowest 1, highest 2.") != std::string::npos);
  CHECK(html.find("logarithmic") == std::string::npos);

  plot.curves = {curve("c", {100.0, 1.0})};
  CHECK(report::to_html(plot).find("logarithmic axis") != std::string::npos);
}

TEST_CASE("names at the ends of curves do not overlap and stay inside") {
  report::Plot plot;
  for (int i = 0; i < 10; ++i) {
    report::Curve curve;
    curve.name = "run " + std::to_string(i);
    curve.colour = "c0";
    curve.steps = {1.0, 2.0};
    curve.y = {0.0, i == 0 ? 1.0 : 0.001 * i};
    plot.curves.push_back(curve);
  }
  const std::string html = report::to_html(plot);
  std::vector<double> places;
  const std::string before = "<span class=\"c0\" style=\"top:";
  for (std::size_t at = html.find(before); at != std::string::npos; at = html.find(before, at + 1)) {
    places.push_back(std::stod(html.substr(at + before.size())));
  }
  REQUIRE(places.size() == 10);
  CHECK(places.front() >= 0.0);
  CHECK(places.back() <= plot.height);
  for (std::size_t i = 1; i < places.size(); ++i) CHECK(places[i] - places[i - 1] >= 14.9);

  plot.height = 100;  // too low for ten labels: a legend is shown instead
  CHECK(report::to_html(plot).find(before) == std::string::npos);
  CHECK(report::to_html(plot).find("unlabelled") != std::string::npos);
}
