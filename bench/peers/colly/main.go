// Crawl a site with Colly: 32 at once, the pages as JSON lines; Colly keeps its queue in memory.
//
// Usage: colly SEED RESULT_DIR
package main

import (
	"bufio"
	"encoding/json"
	"log"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/gocolly/colly/v2"
)

const concurrency = 32

type page struct {
	URL    string   `json:"url"`
	Status int      `json:"status"`
	Title  string   `json:"title"`
	Body   string   `json:"body"`
	Links  []string `json:"links"`
}

func main() {
	seed, result := os.Args[1], os.Args[2]
	prefix := seed[:strings.LastIndex(seed, "/")+1]
	file, err := os.Create(filepath.Join(result, "pages.jsonl"))
	if err != nil {
		log.Fatal(err)
	}
	buffer := bufio.NewWriter(file)
	var lock sync.Mutex
	lines := json.NewEncoder(buffer)
	lines.SetEscapeHTML(false)

	c := colly.NewCollector(colly.Async(true), colly.MaxBodySize(0))
	// Go keeps two idle connections to a host unless told otherwise: the other 30 would be
	// opened anew for every page.
	c.WithTransport(&http.Transport{MaxIdleConnsPerHost: concurrency})
	if err := c.Limit(&colly.LimitRule{DomainGlob: "*", Parallelism: concurrency}); err != nil {
		log.Fatal(err)
	}
	c.OnHTML("html", func(e *colly.HTMLElement) {
		found := page{
			URL:    e.Request.URL.String(),
			Status: e.Response.StatusCode,
			Title:  e.DOM.Find("title").First().Text(),
			Body:   string(e.Response.Body),
			Links:  linksOf(e),
		}
		lock.Lock()
		err := lines.Encode(found)
		lock.Unlock()
		if err != nil {
			log.Fatal(err)
		}
		for _, link := range found.Links {
			if strings.HasPrefix(link, prefix) {
				_ = e.Request.Visit(link) // an error here says that it was visited before
			}
		}
	})
	c.OnError(func(r *colly.Response, err error) {
		if r.StatusCode == 0 { // no answer at all; a 404 is the site's own
			log.Fatal(r.Request.URL, ": ", err)
		}
	})
	if err := c.Visit(seed); err != nil {
		log.Fatal(err)
	}
	c.Wait()
	if err := buffer.Flush(); err != nil {
		log.Fatal(err)
	}
}

// linksOf gives the links of a page once each, as the other systems do, and without fragments:
// later versions of Colly fetch every #fragment as a page of its own.
func linksOf(e *colly.HTMLElement) []string {
	links, met := []string{}, map[string]bool{}
	for _, href := range e.ChildAttrs("a[href]", "href") {
		link, _, _ := strings.Cut(e.Request.AbsoluteURL(href), "#")
		if link != "" && !met[link] {
			met[link] = true
			links = append(links, link)
		}
	}
	return links
}
