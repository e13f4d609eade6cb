// What the page cannot do by itself: values under the pointer, under a finger and under the keyboard's arrows, and what a
// number is above the list of its cells. Legends and lists need no script.
(function () {
  "use strict";

  var live = document.getElementById("live");
  var tip = document.createElement("div");
  tip.className = "tip";
  tip.hidden = true;
  tip.setAttribute("aria-hidden", "true");
  document.body.appendChild(tip);
  // The panel whose values are shown, with what was drawn on it.
  var shown = null;

  function element(name, classes, text) {
    var made = document.createElement(name);
    if (classes) { made.className = classes; }
    if (text !== undefined) { made.textContent = text; }
    return made;
  }

  function mark(plot, name, attributes) {
    var made = document.createElementNS(plot.namespaceURI, name);
    Object.keys(attributes).forEach(function (key) { made.setAttribute(key, attributes[key]); });
    return made;
  }

  // The series of a panel that its legend does not hide, each with its points and what is read there.
  function lines(plot) {
    var all = Array.from(plot.querySelectorAll("polyline[data-v]"));
    return all.map(function (line) {
      var group = line.parentNode;
      var points = line.getAttribute("points").split(" ").filter(Boolean);
      return {
        group: group,
        name: group.dataset.name,
        points: points.map(function (point) { return point.split(",").map(Number); }),
        xs: line.dataset.x.split("|"),
        values: line.dataset.v.split("|")
      };
    }).filter(function (line) {
      return line.points.length > 0 && getComputedStyle(line.group).display !== "none";
    });
  }

  // Where there is something to read, from left to right.
  function stops(all) {
    var places = new Set();
    all.forEach(function (line) { line.points.forEach(function (point) { places.add(point[0]); }); });
    return Array.from(places).sort(function (a, b) { return a - b; });
  }

  function nearest(places, to) {
    var best = 0;
    places.forEach(function (place, at) {
      if (Math.abs(place - to) < Math.abs(places[best] - to)) { best = at; }
    });
    return best;
  }

  function hide() {
    tip.hidden = true;
    if (shown) { shown.drawn.remove(); }
    shown = null;
  }

  // What each series has at a place; `near` is the height of the pointer, in units of the drawing.
  function read(all, place, near) {
    var found = [];
    all.forEach(function (line) {
      line.points.forEach(function (point, at) {
        if (point[0] === place) {
          found.push({ line: line, y: point[1], x: line.xs[at], value: line.values[at] });
        }
      });
    });
    found.sort(function (a, b) { return a.y - b.y; });
    if (near !== null && found.length > 1) {
      var closest = found.reduce(function (best, each) {
        return Math.abs(each.y - near) < Math.abs(best.y - near) ? each : best;
      });
      closest.near = true;
    }
    return found;
  }

  function fill(plot, found) {
    tip.textContent = "";
    tip.appendChild(element("div", "muted", plot.dataset.x + ": " + found[0].x));
    var table = element("table");
    found.forEach(function (each) {
      var row = element("tr", each.near ? "near" : "");
      var colour = element("td", Array.from(each.line.group.classList).join(" "));
      colour.appendChild(element("i"));
      row.appendChild(colour);
      row.appendChild(element("td", "", each.line.name));
      row.appendChild(element("td", "n", each.value));
      table.appendChild(row);
    });
    tip.appendChild(table);
  }

  function put(plot, place) {
    tip.hidden = false;
    var box = plot.getBoundingClientRect();
    var scale = box.width / plot.viewBox.baseVal.width;
    var own = tip.getBoundingClientRect();
    var left = box.left + place * scale + 14;
    if (left + own.width > innerWidth - 8) { left = box.left + place * scale - own.width - 14; }
    left = Math.max(8, Math.min(left, innerWidth - own.width - 8));
    var top = box.top - own.height - 4;
    if (top < 8) { top = Math.min(box.bottom + 4, innerHeight - own.height - 8); }
    tip.style.left = left + "px";
    tip.style.top = Math.max(8, top) + "px";
  }

  function show(plot, all, place, near) {
    var found = read(all, place, near);
    hide();
    if (found.length === 0) { return; }
    var frame = plot.dataset.frame.split(" ").map(Number);
    var drawn = mark(plot, "g", { "aria-hidden": "true" });
    drawn.appendChild(mark(plot, "line", { "class": "cross", x1: place, x2: place, y1: frame[1], y2: frame[3] }));
    found.forEach(function (each) {
      var group = mark(plot, "g", { "class": each.line.group.getAttribute("class") });
      group.appendChild(mark(plot, "circle", { "class": "spot", cx: place, cy: each.y, r: 3.5 }));
      drawn.appendChild(group);
    });
    plot.appendChild(drawn);
    shown = { plot: plot, place: place, drawn: drawn, found: found };
    fill(plot, found);
    put(plot, place);
  }

  function point(plot, event) {
    var box = plot.getBoundingClientRect();
    var scale = plot.viewBox.baseVal.width / box.width;
    var all = lines(plot);
    var places = stops(all);
    if (places.length === 0) { return hide(); }
    var place = places[nearest(places, (event.clientX - box.left) * scale)];
    show(plot, all, place, (event.clientY - box.top) * scale);
  }

  function step(plot, event) {
    var moves = { ArrowLeft: -1, ArrowRight: 1, Home: -Infinity, End: Infinity };
    if (event.key === "Escape") { return hide(); }
    if (!(event.key in moves) || event.ctrlKey || event.altKey || event.metaKey) { return; }
    event.preventDefault();
    var all = lines(plot);
    var places = stops(all);
    if (places.length === 0) { return; }
    var last = places.length - 1;
    var at = shown && shown.plot === plot ? nearest(places, shown.place) + moves[event.key] : last;
    if (event.key === "Home") { at = 0; }
    at = Math.max(0, Math.min(last, at));
    show(plot, all, places[at], null);
    speak(plot);
  }

  function speak(plot) {
    if (!shown) { return; }
    var values = shown.found.map(function (each) { return each.line.name + " " + each.value; });
    live.textContent = plot.dataset.x + " " + shown.found[0].x + ": " + values.join("; ");
  }

  Array.from(document.querySelectorAll("svg.plot")).forEach(function (plot) {
    plot.setAttribute("role", "application");
    plot.setAttribute("aria-roledescription", "chart, arrow keys read its values");
    plot.addEventListener("pointermove", function (event) { point(plot, event); });
    plot.addEventListener("pointerdown", function (event) { point(plot, event); });
    plot.addEventListener("pointerleave", function (event) {
      if (event.pointerType === "mouse") { hide(); }
    });
    plot.addEventListener("keydown", function (event) { step(plot, event); });
    plot.addEventListener("focus", function () {
      // A click focuses too, and has shown what is under the pointer.
      if (!plot.matches(":focus-visible")) { return; }
      var all = lines(plot);
      var places = stops(all);
      if (places.length > 0) { show(plot, all, places[places.length - 1], null); }
    });
    plot.addEventListener("blur", hide);
  });
  document.addEventListener("pointerdown", function (event) {
    if (!event.target.closest("svg.plot")) { hide(); }
  });
  // What the keyboard reaches is scrolled into view after it has the focus.
  addEventListener("scroll", function () { if (shown) { put(shown.plot, shown.place); } }, { passive: true });
  document.addEventListener("change", hide);

  // What the number is that was pressed, above the list of its cells.
  document.addEventListener("click", function (event) {
    var number = event.target.closest("button[popovertarget]");
    var list = number && document.getElementById(number.getAttribute("popovertarget"));
    var what = list && list.querySelector(".what");
    if (!what) { return; }
    what.textContent = "";
    var beside = number.parentNode.nextElementSibling;
    var interval = beside && beside.className === "i" ? " " + beside.textContent : "";
    what.appendChild(element("b", "", number.title + ": " + number.textContent + interval));
    if (number.dataset.exact) {
      what.appendChild(element("span", "muted", " (" + number.dataset.exact + ", \\" + number.dataset.macro + ")"));
    }
  });
})();
