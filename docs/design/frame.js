// The frame of every sketch: the icons and the menu. `data-page` is the page to mark in the menu.
const page = document.currentScript.dataset.page
const frame = `
<a class="skip" href="#main">Skip to content</a>
<svg class="sprite" aria-hidden="true">
<symbol id="i-schedules" viewBox="0 0 16 16"><circle cx="8" cy="8" r="6"/><path d="M8 4.5V8l2.4 1.6"/></symbol>
<symbol id="i-timeline" viewBox="0 0 16 16"><path d="M2 4h5M6 8h7M3.5 12h6"/></symbol>
<symbol id="i-changes" viewBox="0 0 16 16"><path d="M4 2.5v7M4 13.5v-1M12 13.5v-7M12 2.5v1M2 11h4M10 5h4"/></symbol>
<symbol id="i-queues" viewBox="0 0 16 16"><path d="M2.5 4h11M2.5 8h11M2.5 12h7"/></symbol>
<symbol id="i-busy" viewBox="0 0 16 16"><path d="M9 2 4 9h4l-1 5 5-7H8z"/></symbol>
<symbol id="i-scheduled" viewBox="0 0 16 16"><rect x="2.5" y="3.5" width="11" height="10" rx="1.5"/><path d="M2.5 7h11M5.5 2v3M10.5 2v3"/></symbol>
<symbol id="i-retries" viewBox="0 0 16 16"><path d="M13 8a5 5 0 1 1-1.6-3.7M13 2.5v2.8h-2.8"/></symbol>
<symbol id="i-dead" viewBox="0 0 16 16"><circle cx="8" cy="8" r="6"/><path d="m5.8 5.8 4.4 4.4M10.2 5.8l-4.4 4.4"/></symbol>
<symbol id="i-metrics" viewBox="0 0 16 16"><path d="M2.5 13.5v-4M6.2 13.5V4.500M9.9 13.500v-6.500M13.5 13.500v-11"/></symbol>
<symbol id="i-processes" viewBox="0 0 16 16"><rect x="2.5" y="2.5" width="11" height="4.5" rx="1"/><rect x="2.5" y="9" width="11" height="4.5" rx="1"/><path d="M5 4.800h.01M5 11.200h.01"/></symbol>
<symbol id="i-redis" viewBox="0 0 16 16"><ellipse cx="8" cy="4" rx="5.5" ry="2"/><path d="M2.5 4v8c0 1.1 2.5 2 5.5 2s5.5-.9 5.5-2V4M2.5 8c0 1.1 2.5 2 5.5 2s5.5-.9 5.5-2"/></symbol>
<symbol id="i-audit" viewBox="0 0 16 16"><path d="M4 1.500h5.500L13 5v9.500H4zM9.5 1.500V5H13M6.5 8.500h4M6.5 11.500h4"/></symbol>
<symbol id="i-menu" viewBox="0 0 16 16"><path d="M2.5 4h11M2.5 8h11M2.5 12h11"/></symbol>
<symbol id="i-pause" viewBox="0 0 16 16"><path d="M5.5 3.500v9M10.5 3.500v9"/></symbol>
<symbol id="i-run" viewBox="0 0 16 16"><path d="M5 3.500v9l7-4.500z"/></symbol>
<symbol id="m-fired" viewBox="0 0 9 16"><rect x="1.5" y="4" width="6" height="10" class="mark"/></symbol>
<symbol id="m-caught_up" viewBox="0 0 9 16"><path d="M1.5 2h6v3h-6zM1.5 7h6v7h-6z" class="mark"/></symbol>
<symbol id="m-missed" viewBox="0 0 9 16"><rect x="2.25" y="2.75" width="4.5" height="10.5" class="hollow"/></symbol>
<symbol id="m-refused" viewBox="0 0 9 16"><rect x="1.5" y="11.5" width="6" height="2.5" class="mark"/></symbol>
<symbol id="m-paused" viewBox="0 0 9 16"><path d="M1.5 4H3.500v10H1.500zM5.5 4H7.500v10H5.500z" class="mark"/></symbol>
<symbol id="m-overlap" viewBox="0 0 9 16"><path d="M1.5 11h6v3h-6zM1.5 6.500h6v3h-6zM1.5 2h6v3h-6z" class="mark"/></symbol>
<symbol id="m-error" viewBox="0 0 9 16"><path d="M1.5 2h6L6 10H3zM3 11.500h3V14H3z" class="mark"/></symbol>
<symbol id="m-manual" viewBox="0 0 9 16"><path d="m4.5 4 4 5-4 5-4-5z" class="mark"/></symbol>
<symbol id="m-planned" viewBox="0 0 9 16"><rect x="2.25" y="4.75" width="4.5" height="8.5" class="hollow"/></symbol>
</svg><div class="frame">
<header class="side">
<a class="brand" href="schedules.html"><svg viewBox="0 0 22 22" fill="none" stroke="currentColor" stroke-width="2" stroke-linecap="round" stroke-linejoin="round" aria-hidden="true"><circle cx="11" cy="11" r="9"/><path d="M11 6v5l4 3"/></svg>clock <small class="muted">shop</small></a>
<nav class="menu" aria-label="Pages"><div><a href="schedules.html"><svg class="icon" aria-hidden="true"><use href="#i-schedules"/></svg>Schedules<span class="count">12</span></a>
<a href="timeline.html"><svg class="icon" aria-hidden="true"><use href="#i-timeline"/></svg>Timeline</a>
<a href="changes.html"><svg class="icon" aria-hidden="true"><use href="#i-changes"/></svg>Changes</a>
</div><div><h2>Jobs</h2>
<a href="queues.html"><svg class="icon" aria-hidden="true"><use href="#i-queues"/></svg>Queues<span class="count">318</span></a>
<a href="busy.html"><svg class="icon" aria-hidden="true"><use href="#i-busy"/></svg>Busy<span class="count">4</span></a>
<a href="scheduled.html"><svg class="icon" aria-hidden="true"><use href="#i-scheduled"/></svg>Scheduled<span class="count">1,204</span></a>
<a href="retries.html"><svg class="icon" aria-hidden="true"><use href="#i-retries"/></svg>Retries<span class="count">17</span></a>
<a href="dead.html"><svg class="icon" aria-hidden="true"><use href="#i-dead"/></svg>Dead<span class="count bad">43</span></a>
</div><div><h2>System</h2>
<a href="metrics.html"><svg class="icon" aria-hidden="true"><use href="#i-metrics"/></svg>Metrics</a>
<a href="processes.html"><svg class="icon" aria-hidden="true"><use href="#i-processes"/></svg>Processes<span class="count">5</span></a>
<a href="redis.html"><svg class="icon" aria-hidden="true"><use href="#i-redis"/></svg>Redis</a>
<a href="audit.html"><svg class="icon" aria-hidden="true"><use href="#i-audit"/></svg>Audit</a>
</div></nav>
<details class="small-menu"><summary><svg class="icon" aria-hidden="true"><use href="#i-menu"/></svg>Menu</summary><nav class="menu" aria-label="Pages"><div><a href="schedules.html"><svg class="icon" aria-hidden="true"><use href="#i-schedules"/></svg>Schedules<span class="count">12</span></a>
<a href="timeline.html"><svg class="icon" aria-hidden="true"><use href="#i-timeline"/></svg>Timeline</a>
<a href="changes.html"><svg class="icon" aria-hidden="true"><use href="#i-changes"/></svg>Changes</a>
</div><div><h2>Jobs</h2>
<a href="queues.html"><svg class="icon" aria-hidden="true"><use href="#i-queues"/></svg>Queues<span class="count">318</span></a>
<a href="busy.html"><svg class="icon" aria-hidden="true"><use href="#i-busy"/></svg>Busy<span class="count">4</span></a>
<a href="scheduled.html"><svg class="icon" aria-hidden="true"><use href="#i-scheduled"/></svg>Scheduled<span class="count">1,204</span></a>
<a href="retries.html"><svg class="icon" aria-hidden="true"><use href="#i-retries"/></svg>Retries<span class="count">17</span></a>
<a href="dead.html"><svg class="icon" aria-hidden="true"><use href="#i-dead"/></svg>Dead<span class="count bad">43</span></a>
</div><div><h2>System</h2>
<a href="metrics.html"><svg class="icon" aria-hidden="true"><use href="#i-metrics"/></svg>Metrics</a>
<a href="processes.html"><svg class="icon" aria-hidden="true"><use href="#i-processes"/></svg>Processes<span class="count">5</span></a>
<a href="redis.html"><svg class="icon" aria-hidden="true"><use href="#i-redis"/></svg>Redis</a>
<a href="audit.html"><svg class="icon" aria-hidden="true"><use href="#i-audit"/></svg>Audit</a>
</div></nav></details>
</header>
<main id="main">
`
document.write(frame.replaceAll(`<a href="${page}">`, `<a href="${page}" aria-current="page">`))
