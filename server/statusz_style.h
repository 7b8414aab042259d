// The status page's style sheet: light and dark, wide and narrow.
#ifndef INKAN_SERVER_STATUSZ_STYLE_H_
#define INKAN_SERVER_STATUSZ_STYLE_H_

namespace inkan {

inline constexpr char kStatuszStyle[] = R"css(
:root{color-scheme:light dark;--bg:#f6f4f0;--card:#fff;--ink:#23211f;--soft:#6d6862;
--line:#e4dfd7;--seal:#c23a28;--good:#2c7a55;--warn:#a86a10;--bad:#b3261e;
--goodbg:#e5f2eb;--warnbg:#fbf0dc;--badbg:#fbe7e5;--track:#ece7df}
@media(prefers-color-scheme:dark){:root{--bg:#171614;--card:#211f1d;--ink:#ece8e2;
--soft:#a39c93;--line:#37332f;--seal:#e2604d;--good:#6cc299;--warn:#e0a84c;
--bad:#f0857c;--goodbg:#1d3229;--warnbg:#3a2e18;--badbg:#40211e;--track:#38342f}}
*{box-sizing:border-box}
body{margin:0;background:var(--bg);color:var(--ink);
font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"DejaVu Sans",sans-serif;
font-variant-numeric:tabular-nums}
main{max-width:1120px;margin:0 auto;padding:24px 20px 48px}
header{display:flex;align-items:center;gap:14px;flex-wrap:wrap;margin-bottom:20px}
header svg{flex:none}
h1{font-size:22px;margin:0;letter-spacing:.01em}
h2{font-size:13px;margin:32px 0 10px;color:var(--soft);text-transform:uppercase;
letter-spacing:.08em;font-weight:600}
.sub{color:var(--soft);font-size:13px}
.pill{margin-left:auto;padding:6px 14px;border-radius:999px;font-weight:600;
white-space:nowrap}
.pill.good{background:var(--goodbg);color:var(--good)}
.pill.warn{background:var(--warnbg);color:var(--warn)}
.pill.bad{background:var(--badbg);color:var(--bad)}
.cards{display:grid;grid-template-columns:repeat(auto-fit,minmax(232px,1fr));gap:14px}
.card{background:var(--card);border:1px solid var(--line);border-radius:12px;
padding:14px 16px;min-width:0}
.card .label{color:var(--soft);font-size:13px}
.big{font-size:30px;line-height:1.25;font-weight:650;white-space:nowrap}
.big small{font-size:14px;font-weight:500;color:var(--soft)}
.spark{display:block;width:100%;height:44px;margin-top:8px}
.spark .area{fill:var(--seal);opacity:.13}
.spark .line{fill:none;stroke:var(--seal);stroke-width:1.6;
vector-effect:non-scaling-stroke;stroke-linejoin:round}
.bar{display:flex;height:10px;border-radius:5px;overflow:hidden;background:var(--track);
margin:12px 0 8px}
.bar i{display:block;height:100%;background:var(--seal)}
i.good{background:var(--good)}i.warn{background:var(--warn)}i.bad{background:var(--bad)}
.finding{background:var(--warnbg);border-left:4px solid var(--warn);
border-radius:0 10px 10px 0;padding:10px 16px;margin:0 0 10px;overflow-wrap:anywhere}
.finding.bad{background:var(--badbg);border-color:var(--bad)}
.finding b{display:block;font-weight:600}
.calm{background:var(--goodbg);border-left:4px solid var(--good);
border-radius:0 10px 10px 0;padding:10px 16px}
.legend{display:flex;flex-wrap:wrap;gap:6px 20px;font-size:14px}
.legend i{display:inline-block;width:10px;height:10px;border-radius:3px;margin-right:7px}
.scroll{overflow-x:auto}
table{border-collapse:collapse;width:100%;font-size:14px}
th{text-align:left;color:var(--soft);font-weight:500;font-size:12px;padding:6px 12px 6px 0;
border-bottom:1px solid var(--line);white-space:nowrap}
td{padding:7px 12px 7px 0;border-bottom:1px solid var(--line);vertical-align:top}
tr:last-child>td{border-bottom:0}
.n{text-align:right;white-space:nowrap}
.wide{overflow-wrap:anywhere;min-width:200px}
.good{color:var(--good)}.warn{color:var(--warn)}.bad{color:var(--bad)}
i.good,i.warn,i.bad{color:inherit}
details{border-bottom:1px solid var(--line);padding:10px 0}
details:last-of-type{border-bottom:0}
summary{cursor:pointer;display:flex;flex-wrap:wrap;gap:2px 16px;align-items:baseline}
summary .who{flex:1 1 320px;min-width:0;overflow-wrap:anywhere;font-weight:600}
summary .who span{font-weight:400;color:var(--soft)}
dl{display:grid;grid-template-columns:max-content 1fr;gap:4px 16px;margin:0;font-size:14px}
dt{color:var(--soft)}dd{margin:0;overflow-wrap:anywhere;text-align:right}
code{font:12px ui-monospace,"DejaVu Sans Mono",monospace;overflow-wrap:anywhere}
a{color:var(--seal)}
footer{margin-top:32px;color:var(--soft);font-size:13px}
@media(max-width:560px){main{padding:16px 14px 32px}.pill{margin-left:0}.big{font-size:26px}}
)css";

}  // namespace inkan

#endif  // INKAN_SERVER_STATUSZ_STYLE_H_
