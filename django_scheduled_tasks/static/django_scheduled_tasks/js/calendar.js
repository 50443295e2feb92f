/* The year of a calendar: Tab leads to one day, arrow keys go on by day and by week, Home and End to the month's ends. */
(function () {
    "use strict";

    const STEPS = { ArrowUp: -7, ArrowDown: 7, ArrowLeft: -1, ArrowRight: 1 };

    function days(year) { return [...year.querySelectorAll("[data-dst-day]")]; }

    document.addEventListener("keydown", (event) => {
        const day = event.target.closest && event.target.closest("[data-dst-day]");
        if (!day || event.altKey || event.ctrlKey || event.metaKey) { return; }
        const year = day.closest("[data-dst-year]");
        const all = days(year);
        let place = all.indexOf(day);
        if (event.key === "Home" || event.key === "End") {
            const month = [...day.parentNode.querySelectorAll("[data-dst-day]")];
            place = all.indexOf(event.key === "Home" ? month[0] : month[month.length - 1]);
        } else if (event.key in STEPS) {
            const isMirrored = getComputedStyle(year).direction === "rtl" && /Left|Right/.test(event.key);
            place += isMirrored ? -STEPS[event.key] : STEPS[event.key];
        } else {
            return;
        }
        event.preventDefault();
        const next = all[Math.min(Math.max(place, 0), all.length - 1)];
        day.setAttribute("tabindex", "-1");
        next.setAttribute("tabindex", "0");
        next.focus();
    });
})();
