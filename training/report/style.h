#pragma once
/// Style sheet of a report. Light and dark mode follow the system setting. Series colours keep the order of Okabe and
/// Ito's colour-blind-safe palette, each darkened or lightened to a contrast of at least 4.3 on its background; d0 to
/// d11 vary hue and lightness together.

namespace minception::report {

inline constexpr const char* kStyle = R"css(
:root{color-scheme:light dark;
--page:#f6f6f3;--card:#fff;--ink:#1b1e22;--muted:#5b626b;--line:#deded8;--grid:#ececE7;--link:#0066a8;--warn:#fff4dc;--warnline:#e0b34c;
--hit:0,102,168;--error:206,84,0;
--s0:#0066a8;--s1:#c24f00;--s2:#00775a;--s3:#a3447a;--s4:#8a6100;--s5:#2f7fb8;--s6:#5b4fc0;--s7:#5d6670;
--d0:#522070;--d1:#3f3185;--d2:#1b428f;--d3:#00538d;--d4:#00637f;--d5:#006e68;--d6:#00744b;--d7:#2e7525;--d8:#647200;--d9:#8a6b00;--d10:#a66200;--d11:#ba5c2d}
@media (prefers-color-scheme:dark){:root{
--page:#121417;--card:#1a1d21;--ink:#e9e9e6;--muted:#a0a8b1;--line:#33383f;--grid:#262a30;--link:#7cc0f2;--warn:#2d2614;--warnline:#8a6d22;
--hit:80,160,225;--error:205,85,25;
--s0:#5fb4ef;--s1:#ff9257;--s2:#35c99b;--s3:#e596c4;--s4:#e8b93c;--s5:#9ad4ff;--s6:#b3a8ff;--s7:#a9b2bc;
--d0:#a375c5;--d1:#8d86dc;--d2:#6e98e6;--d3:#46aae4;--d4:#15bad6;--d5:#1fc6be;--d6:#58cea1;--d7:#8dd083;--d8:#bccd6b;--d9:#e5c762;--d10:#ffc171;--d11:#ffbd91}}
.c0{--c:var(--s0)}.c1{--c:var(--s1)}.c2{--c:var(--s2)}.c3{--c:var(--s3)}.c4{--c:var(--s4)}.c5{--c:var(--s5)}.c6{--c:var(--s6)}.c7{--c:var(--s7)}
.d0{--c:var(--d0)}.d1{--c:var(--d1)}.d2{--c:var(--d2)}.d3{--c:var(--d3)}.d4{--c:var(--d4)}.d5{--c:var(--d5)}.d6{--c:var(--d6)}.d7{--c:var(--d7)}.d8{--c:var(--d8)}.d9{--c:var(--d9)}.d10{--c:var(--d10)}.d11{--c:var(--d11)}
.total{--c:var(--muted)}
*{box-sizing:border-box}
html{scroll-behavior:smooth;-webkit-text-size-adjust:100%}
body{margin:0;background:var(--page);color:var(--ink);font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans",sans-serif;font-variant-numeric:tabular-nums}
header,main,footer{max-width:1240px;margin:0 auto;padding:0 24px}
header{padding-top:28px}
h1{font-size:28px;line-height:1.2;margin:0;letter-spacing:-.01em;overflow-wrap:anywhere}
h2{font-size:20px;margin:44px 0 6px;letter-spacing:-.005em;scroll-margin-top:12px;overflow-wrap:anywhere}
p{margin:0}
a{color:var(--link)}
.byline{color:var(--muted);margin-top:4px;overflow-wrap:anywhere}
nav{display:flex;flex-wrap:wrap;gap:2px 18px;margin-top:14px;font-size:14px}
nav a{text-decoration:none}nav a:hover{text-decoration:underline}
.lead{color:var(--muted);max-width:78ch;margin-bottom:14px}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(150px,1fr));gap:12px;margin:22px 0 0}
.tile{background:var(--card);border:1px solid var(--line);border-radius:10px;padding:12px 16px 10px;max-width:280px}
.tile dt{color:var(--muted);font-size:13px}
.tile dd{margin:0;font-size:25px;font-weight:600;line-height:1.3;letter-spacing:-.01em;white-space:nowrap}
.tile small{display:block;font-size:12.5px;font-weight:400;color:var(--muted);letter-spacing:0;white-space:normal}
.tile.first{border-color:var(--s0);box-shadow:inset 3px 0 0 var(--s0)}
.notices{list-style:none;margin:18px 0 0;padding:10px 16px;background:var(--warn);border:1px solid var(--warnline);border-radius:10px}
.notices li{overflow-wrap:anywhere}
.notices li+li{margin-top:6px}
.notices b{display:inline-block;margin-right:8px}
.missing{margin-top:14px;color:var(--muted)}
.plots{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,460px),1fr));gap:16px;margin-top:14px}
.plots.small{grid-template-columns:repeat(auto-fit,minmax(min(100%,310px),1fr))}
figure{margin:0}
.plot{background:var(--card);border:1px solid var(--line);border-radius:10px;padding:12px 14px 10px 12px;min-width:0}
.plot figcaption{font-weight:600;padding-left:4px}
.plot figcaption small{font-weight:400;color:var(--muted);margin-left:6px}
.legend{display:none;flex-wrap:wrap;gap:0 14px;list-style:none;margin:2px 0 4px;padding:0 4px;font-size:13px}
.unlabelled .legend{display:flex}
.legend i,th i{display:inline-block;width:14px;height:4px;border-radius:2px;background:var(--c);margin-right:6px;vertical-align:middle}
.legend b{font-weight:600;color:var(--ink)}
.frame{display:grid;grid-template-columns:52px minmax(0,1fr) auto;grid-template-rows:var(--h) 38px;margin-top:8px}
.yaxis{grid-area:1/1;position:relative;font-size:12px;color:var(--muted)}
.yaxis span{position:absolute;right:8px;transform:translateY(-50%);white-space:nowrap}
.xaxis{grid-area:2/2;position:relative;font-size:12px;color:var(--muted)}
.xaxis span{position:absolute;top:4px;transform:translateX(-50%);white-space:nowrap}
.xaxis em{position:absolute;right:0;bottom:0;font-style:normal}
.area{grid-area:1/2;position:relative;touch-action:pan-y;cursor:crosshair;outline-offset:2px;border-radius:1px}
.area svg{position:absolute;inset:0;width:100%;height:100%;overflow:visible}
.area path,.ends path{fill:none;stroke:var(--c);stroke-width:2;stroke-linejoin:round;stroke-linecap:round;vector-effect:non-scaling-stroke}
.area .grid{stroke:var(--grid);stroke-width:1;stroke-linecap:butt}
.area .rule{stroke:var(--muted);stroke-width:1;stroke-dasharray:4 4}
.area .faint{stroke-width:1;opacity:.33}
.area .dot{stroke-width:7}
.area .dash{stroke-dasharray:7 5}
.area .total{stroke-dasharray:5 4}
.reference{position:absolute;right:4px;transform:translateY(-102%);font-size:11.5px;color:var(--muted);pointer-events:none}
.ends{grid-area:1/3;position:relative;height:var(--h);font-size:12.5px}
.ends svg{position:absolute;left:0;top:0;overflow:visible}
.ends path{stroke-width:1;opacity:.6}
.ends span{position:absolute;left:16px;right:0;transform:translateY(-50%);line-height:15px;color:var(--c);white-space:nowrap;overflow:hidden;text-overflow:ellipsis}
.note{color:var(--muted);font-size:12.5px;line-height:1.4;padding:2px 4px 4px}
.cross{position:absolute;top:0;bottom:0;width:1px;background:var(--muted);pointer-events:none}
.knob{position:absolute;width:9px;height:9px;margin:-4.5px 0 0 -4.5px;border-radius:50%;background:var(--c);border:2px solid var(--card);pointer-events:none}
.readout{position:absolute;top:4px;z-index:2;background:var(--card);border:1px solid var(--line);border-radius:7px;box-shadow:0 2px 10px rgba(0,0,0,.18);padding:6px 10px;font-size:12.5px;line-height:1.45;pointer-events:none;white-space:nowrap}
.readout table{border-collapse:collapse}
.readout th{font-weight:400;text-align:left;padding:0 10px 0 0}
.readout td{text-align:right;padding:0 0 0 8px}
.readout .weak{color:var(--muted)}
.readout caption{text-align:left;color:var(--muted);padding-bottom:2px}
.scroll{overflow-x:auto;max-width:100%}
.beside{display:flex;flex-wrap:wrap;gap:20px 40px;align-items:flex-start}
table.list{border-collapse:collapse;font-size:14px}
.list caption{text-align:left;font-weight:600;padding:2px 0 4px;white-space:nowrap}
.list th,.list td{padding:4px 14px 4px 0;border-top:1px solid var(--line);text-align:left;vertical-align:top}
.list thead th{border-top:0;color:var(--muted);font-weight:400;font-size:13px;vertical-align:bottom}
.list tbody th{font-weight:400}
.list .n{text-align:right;white-space:nowrap}
.runs tbody th,.runs td{min-width:11em;overflow-wrap:anywhere}.runs .n{min-width:0}
.list .sub th,.list .sub td{color:var(--muted)}.list .sub th{padding-left:20px}
.list .sum th,.list .sum td{font-weight:600}
.bars td.wide{width:240px;min-width:160px;vertical-align:middle}
.bars .bar{height:12px;margin:0}
.bar{display:block;width:100%;height:30px;border-radius:5px;overflow:hidden;margin-bottom:18px;background:var(--grid)}
.bar rect{fill:var(--c)}
.columns{columns:2 420px;column-gap:40px;margin-top:10px}
.columns table{width:100%;break-inside:avoid;margin-bottom:22px}
.columns th{width:38%;color:var(--muted)}
.columns td{overflow-wrap:anywhere}
.confusion{border-collapse:separate;border-spacing:2px;font-size:13.5px}
.confusion th{font-weight:400;text-align:right;padding:0 8px 0 0;white-space:nowrap;position:sticky;left:0;background:var(--page);max-width:130px;overflow:hidden;text-overflow:ellipsis}
.confusion thead th{position:static;padding:0;vertical-align:bottom}
.confusion .corner{color:var(--muted);font-size:12px;padding:0 8px 6px 0}
.confusion .down span{writing-mode:vertical-rl;transform:rotate(180deg);max-height:120px;overflow:hidden;text-overflow:ellipsis;padding:4px 0;line-height:1.2;display:inline-block}
.confusion thead .down{text-align:center}
.confusion tbody td{min-width:42px;height:34px;text-align:center;border-radius:4px;background:var(--card)}
.confusion .side,.confusion tfoot td,.confusion tfoot th{background:none;color:var(--muted);font-size:12.5px;text-align:right;white-space:nowrap}
.confusion tbody .side{padding-left:8px}
.confusion tfoot td{text-align:center;padding-top:4px}
.confusion tfoot th{background:var(--page);padding-top:4px}
.confusion b{color:var(--ink)}
.matrix{flex:0 1 620px;min-width:min(100%,300px);position:relative}
.matrix svg{display:block;width:100%;background:var(--card);border:1px solid var(--line)}
.matrix figcaption{color:var(--muted);font-size:13px;margin-top:4px}
)css"
                                      R"css(
.h1{--a:.06}.h2{--a:.1}.h3{--a:.14}.h4{--a:.18}.h5{--a:.22}.h6{--a:.26}.h7{--a:.3}.h8{--a:.35}.h9{--a:.4}
.e1{--a:.1}.e2{--a:.18}.e3{--a:.26}.e4{--a:.34}.e5{--a:.43}.e6{--a:.52}.e7{--a:.61}.e8{--a:.7}.e9{--a:.8}
.confusion tbody td[class^=h]{background:rgba(var(--hit),var(--a))}
.confusion tbody td[class^=e]{background:rgba(var(--error),var(--a))}
.matrix path[class^=h]{fill:rgba(var(--hit),calc(var(--a) + .25))}
.matrix path[class^=e]{fill:rgba(var(--error),calc(var(--a) + .15))}
.mistakes{display:grid;grid-template-columns:repeat(auto-fill,minmax(124px,1fr));gap:12px}
.mistakes figure{background:var(--card);border:1px solid var(--line);border-radius:8px;overflow:hidden}
.mistakes img,.blank{display:block;width:100%;aspect-ratio:1;object-fit:contain;background:#0b0c0e}
.blank{background:var(--grid);color:var(--muted);font-size:12px;display:grid;place-items:center}
.pixels{image-rendering:pixelated}
.looked{position:relative}
.mistakes .map{display:none;position:absolute;inset:0;width:100%;height:100%;object-fit:contain;opacity:.62}
.looked:hover .map,.looks:has(:checked)+.mistakes .map{display:block}
.looks{display:block;margin:0 0 12px;cursor:pointer}
.mistakes figcaption{padding:6px 9px 8px;font-size:13px;line-height:1.35}
.mistakes b,.mistakes span{display:block;font-weight:600;overflow-wrap:anywhere}
.mistakes span{font-weight:400;color:var(--muted)}
.mistakes a{overflow-wrap:anywhere}
.mistakes i{font-style:normal;color:var(--s1)}
.inside{align-items:start}
.inside img{display:block;width:100%;margin-top:10px;image-rendering:pixelated}
.inside .plot>img{background:#fff;border:3px solid #fff;border-radius:4px}
.pair{display:grid;grid-template-columns:repeat(2,minmax(0,1fr));gap:12px}
.pair .looked .over{position:absolute;inset:0;height:calc(100% - 10px);opacity:.62;image-rendering:auto}
.explained h3{font-size:15px;margin:18px 0 8px}
.explained>img{max-width:100%;image-rendering:pixelated}
.maps{display:flex;flex-wrap:wrap;gap:14px;align-items:flex-start}
.maps img{display:block;width:256px;max-width:100%;border-radius:8px;background:#0b0c0e;image-rendering:pixelated}
.maps figcaption{font-size:13px;padding-top:4px;color:var(--muted)}
.maps b{color:var(--ink)}
.likely{min-width:260px;flex:0 1 340px}
.likely td:last-child{width:50%}
.likely span{display:block;height:12px;min-width:1px;background:var(--s0);border-radius:2px}
details{margin-top:16px}
summary{cursor:pointer;color:var(--link)}
details[open]>summary{margin-bottom:10px}
.run{background:none;border-top:1px solid var(--line);padding:14px 0;margin:0}
.run>summary{font-size:17px;font-weight:600;color:var(--ink)}
.run h2{font-size:17px;margin-top:28px}
footer{color:var(--muted);font-size:13px;padding-top:36px;padding-bottom:36px}
@media (max-width:820px){
header,main,footer{padding-left:14px;padding-right:14px}
h1{font-size:23px}
.tiles{grid-template-columns:repeat(2,minmax(0,1fr));gap:8px}
.tile{padding:9px 12px 8px}.tile dd{font-size:21px}
.plot{padding:10px 10px 8px 6px}
.plots{gap:12px}
.legend{display:flex}
.ends,.readout .mean{display:none}
.frame{grid-template-columns:48px minmax(0,1fr)}
.confusion{font-size:12.5px}.confusion tbody td{min-width:34px;height:30px}.confusion th{max-width:84px}
.mistakes{grid-template-columns:repeat(auto-fill,minmax(96px,1fr));gap:8px}
.columns{columns:1}
}
@media print{
:root{--page:#fff;--card:#fff}
body{font-size:11pt}nav,.cross,.knob,.readout{display:none}
header,main,footer{max-width:none;padding:0}
.plot,.tile,.mistakes figure,.confusion,tr{break-inside:avoid}h2{break-after:avoid}
i,.bar,td,.tile,.notices,.matrix{print-color-adjust:exact;-webkit-print-color-adjust:exact}
.scroll{overflow:visible}
}
)css";

}  // namespace minception::report
